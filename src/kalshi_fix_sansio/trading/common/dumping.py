"""Dump the state of the state machines as JSON values, and load it, with codecs derived from type
annotations.

Each machine declares the layout of its dump as an attrs class. Attrs objects become JSON objects with the
names of their attributes, tuples become arrays, and decimals, execution keys and times become strings.
Members of this library's own enums are dumped by name, and codes of the dialect by their value on the wire.
Loading checks every value against its annotation. An attribute that is missing from a dump gets its default,
so a later release can add attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, StrEnum
from functools import cache
from reprlib import repr as shortened
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from kalshi_fix_sansio.dialect.base import Block
from kalshi_fix_sansio.trading.common.amounts import EXACT, to_text
from kalshi_fix_sansio.trading.common.exec_key import NO_KEY, ExecKey

T = TypeVar("T")

VERSION: Final = 2
_DAMAGED: Final = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""Exceptions that loading a damaged dump can raise."""
_KEY: Final = "kalshi_fix_sansio dump key"
NOT_DUMPED: Final[Mapping[str, Any]] = {_KEY: None}
"""Metadata of an attribute that is not dumped, because the machine restores it after loading. Until then, an
attribute without a default is None.
"""


def keyed_by(attribute: str) -> Mapping[str, Any]:
    """Return the metadata of a dict attribute that is dumped as the list of the dict's values. Each value
    contains its key in the given attribute.
    """
    return {_KEY: attribute}


class _Codec(NamedTuple):
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


def dump_state(state: attrs.AttrsInstance) -> dict[str, Any]:
    """Return the state of a machine as JSON values, including the version of the layout."""
    return dump_attributes(state, type(state))


def dump_attributes(machine: object, layout: type) -> dict[str, Any]:
    """Return the attributes of a machine that a layout names, as `dump_state` returns them."""
    return {"version": VERSION, **_codec(layout).dump(machine)}


def load_attributes(machine: object, state: attrs.AttrsInstance) -> None:
    """Set the attributes of a machine that its loaded state contains, except properties and attributes that
    are not dumped.
    """
    for field in _dumped_fields(type(state)):
        if not isinstance(getattr(type(machine), field.name, None), property):
            setattr(machine, field.name, getattr(state, field.name))


def dump_row(row: attrs.AttrsInstance) -> dict[str, Any]:
    """Return a part of the state as JSON values, for a row of a dump."""
    dumped: dict[str, Any] = _codec(type(row)).dump(row)
    return dumped


def load_row(row: Any, layout: Callable[..., T]) -> T:
    """Load a row of a dump, inside a `with loading(...)` block."""
    loaded: T = _codec(layout).load(row)
    return loaded


@contextmanager
def loading(dumped: Mapping[str, Any], layout: Callable[..., T], machine: str) -> Iterator[T]:
    """Load a dump for a `with` block that checks it further. The machine must not change before the end of
    the block, so a damaged dump changes nothing.

    Raises:
        ValueError: the dump has another version, or is damaged, or the `with` block raises an exception that
            a damaged dump can cause (`_DAMAGED`).
    """
    version = dumped.get("version")
    if version != VERSION or type(version) is not int:
        raise ValueError(f"the version of a dump of {machine} must be {VERSION}, not {version!r}")
    try:
        yield _codec(layout).load({name: value for name, value in dumped.items() if name != "version"})
    except _DAMAGED as error:
        raise ValueError(f"not a valid dump of {machine}: {error}") from error


@cache
def _codec(annotation: Any) -> _Codec:
    """Return the codec for values of an annotation."""
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _union_codec([each for each in args if each is not NoneType], optional=NoneType in args)
    if origin is dict:
        return _dict_codec(*args)
    if origin is tuple and args[1:] != (...,):
        return _row_codec(tuple, [*map(_codec, args)])
    if origin is not None:
        return _collection_codec(origin, _codec(args[0]))
    if issubclass(annotation, Enum):
        return _enum_codec(annotation)
    if issubclass(annotation, tuple):
        columns = [_codec(each) for each in get_type_hints(annotation).values()]
        make: Any = annotation
        return _row_codec(make._make, columns)
    return _block_codec(annotation) if issubclass(annotation, Block) else _attrs_codec(annotation)


def _type_loader(*types: type) -> Callable[[Any], Any]:
    def load(value: Any) -> Any:
        if type(value) not in types:  # bool is not accepted as int
            raise ValueError(f"expected {types[0].__name__}, not {shortened(value)}")
        return value

    return load


_load_text: Final = _type_loader(str)
_load_items: Final = _type_loader(list, tuple)
_load_object: Final = _type_loader(dict)


def _load_number(value: Any) -> Decimal:
    number = EXACT.create_decimal(_load_text(value))
    if not number.is_finite():
        raise ValueError(f"an amount must be finite, not {number}")
    return number


def _load_strings(items: Any) -> dict[str, str]:
    """Load a dict of strings. Checking the set of their types takes a fifth of the time of checking each
    string.
    """
    strings: dict[str, str] = dict(_load_object(items))
    if not {*map(type, strings), *map(type, strings.values())} <= {str}:
        raise ValueError(f"keys and values must be strings: {shortened(strings)}")
    return strings


def _dump_key(key: ExecKey) -> str:
    return "-1;-1" if key == NO_KEY else ExecKey.__str__(key)


_SCALARS: Final[Mapping[Any, _Codec]] = {
    # Methods rather than the types themselves: `str(None)` would return a string, whereas these methods
    # raise TypeError.
    str: _Codec(str.__str__, _load_text),
    int: _Codec(int.__int__, _type_loader(int)),
    bool: _Codec(bool.__bool__, _type_loader(bool)),
    float: _Codec(float, lambda value: float(_type_loader(float, int)(value))),
    Decimal: _Codec(to_text, _load_number),
    datetime: _Codec(datetime.isoformat, lambda value: datetime.fromisoformat(_load_text(value))),
    date: _Codec(date.isoformat, lambda value: date.fromisoformat(_load_text(value))),
    time: _Codec(time.isoformat, lambda value: time.fromisoformat(_load_text(value))),
    ExecKey: _Codec(_dump_key, lambda value: ExecKey.parse(_load_text(value)) or NO_KEY),
}


def _union_codec(members: list[Any], *, optional: bool) -> _Codec:
    """Return the codec of a value that may be None, or of a code that the dialect may not define."""
    if len(members) > 1:
        [enum] = (each for each in members if each is not str)
        code_by_value = {code.value: code for code in enum}
        codec = _Codec(str.__str__, lambda value: code_by_value.get(_load_text(value), value))
    else:
        codec = _codec(members[0])
    if not optional:
        return codec
    dump, load = codec
    return _Codec(
        lambda value: None if value is None else dump(value),
        lambda value: None if value is None else load(value),
    )


def _enum_codec(kind: type[Enum]) -> _Codec:
    if issubclass(kind, StrEnum):
        return _Codec(str.__str__, kind)
    return _Codec(lambda member: member.name, kind.__getitem__)


def _collection_codec(kind: Any, item: _Codec) -> _Codec:
    """Return the codec of a list, a tuple or a set."""
    dump, load = item
    ordered: Any = list if kind in (list, tuple) else sorted
    return _Codec(
        lambda values: ordered(map(dump, values)), lambda values: kind(map(load, _load_items(values)))
    )


def _row_codec(make: Callable[[list[Any]], Any], columns: list[_Codec]) -> _Codec:
    dumps, loads = [each.dump for each in columns], [each.load for each in columns]
    return _Codec(
        lambda values: [dump(value) for dump, value in zip(dumps, values, strict=True)],
        lambda row: make([load(value) for load, value in zip(loads, _load_items(row), strict=True)]),
    )


def _dict_codec(key: Any, value: Any) -> _Codec:
    """Return the codec of a dict. A dict is dumped as the list of its keys if its values are None, as an
    object if its keys are strings, and as a list of pairs otherwise.
    """
    if value is None:
        keys = _collection_codec(list, _codec(key))
        return _Codec(keys.dump, lambda items: dict.fromkeys(keys.load(items)))
    if key is value is str:
        return _Codec(dict, _load_strings)
    if key is str:
        dump, load = _codec(value)
        return _Codec(
            lambda values: {name: dump(each) for name, each in values.items()},
            lambda items: {_load_text(name): load(each) for name, each in _load_object(items).items()},
        )
    pairs = _collection_codec(list, _row_codec(tuple, [_codec(key), _codec(value)]))
    return _Codec(lambda values: pairs.dump(values.items()), lambda items: dict(pairs.load(items)))


def _keyed_dict_codec(attribute: str, value: _Codec) -> _Codec:
    """Return the codec of a dict whose values contain their keys."""
    items = _collection_codec(list, value)
    return _Codec(
        lambda values: items.dump(values.values()),
        lambda rows: {getattr(each, attribute): each for each in items.load(rows)},
    )


def _block_codec(kind: type[Block]) -> _Codec:
    """Return the codec of an entry of a repeating group whose fields are strings."""
    names = [member.attribute for member in kind.LAYOUT.members]
    row = _row_codec(list, [_SCALARS[str]] * len(names))
    make: Any = kind
    return _Codec(
        lambda entry: row.dump([getattr(entry, name) for name in names]),
        lambda values: make(**dict(zip(names, row.load(values), strict=True))),
    )


def _field_codec(field: attrs.Attribute[Any], hint: Any) -> _Codec:
    attribute = field.metadata.get(_KEY)
    return _codec(hint) if attribute is None else _keyed_dict_codec(attribute, _codec(get_args(hint)[1]))


def _dumped_fields(kind: Any) -> list[Any]:
    return [field for field in attrs.fields(kind) if field.metadata.get(_KEY, "") is not None]


def _attrs_codec(kind: Any) -> _Codec:
    hints = get_type_hints(kind)
    fields = _dumped_fields(kind)
    codecs = [(field, _field_codec(field, hints[field.name])) for field in fields]
    dumps = [(field.alias, field.name, codec.dump) for field, codec in codecs]
    loads = {field.alias: codec.load for field, codec in codecs}
    required = {field.alias for field in fields if field.default is attrs.NOTHING}
    restored = [
        field.alias for field in attrs.fields(kind) if field not in fields and field.default is attrs.NOTHING
    ]

    def dump(value: Any) -> dict[str, Any]:
        return {alias: dump_value(getattr(value, name)) for alias, name, dump_value in dumps}

    def load(row: Any) -> Any:
        names = _load_object(row).keys()
        if not required <= names <= loads.keys():
            wrong = (required - names) | (names - loads.keys())
            raise ValueError(f"attributes {shortened(wrong)} are missing or unknown")
        arguments: dict[str, Any] = dict.fromkeys(restored)
        alias = ""
        try:
            for alias, value in row.items():
                arguments[alias] = loads[alias](value)
        except _DAMAGED as error:
            raise ValueError(f"{alias}: {error}") from error
        return kind(**arguments)

    return _Codec(dump, load)
