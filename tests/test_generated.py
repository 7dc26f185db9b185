"""Every generated class of the Kalshi dialect: construction, equality, repr, encoding and rejected values."""

from __future__ import annotations

import copy
import inspect
import pickle
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, get_type_hints

import attrs
import pytest

import kalshi_fix_sansio
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec.encoder import CODEC_TAGS
from kalshi_fix_sansio.dialect.base import Block, Message
from kalshi_fix_sansio.dialect.layout import BY_SESSION, BlockLayout, FieldMember, GroupMember, Kind, Presence
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.scalars import PARSERS, format_value
from tests.samples import every_layout, full, is_required, minimal

MESSAGES = {layout.name: layout.body for layout in DIALECT.messages.values()}
BLOCKS = every_layout()

CODESETS = {field.codes.__name__: field.codes for field in DIALECT.fields.values() if field.codes is not None}

CONSTANTS = {"encrypt_method", "default_appl_ver_id"}
"""Attributes of Logon that have one of several values by default."""

every_block = pytest.mark.parametrize("layout", BLOCKS.values(), ids=BLOCKS)


def only_codes(layout: BlockLayout) -> dict[str, Any]:
    """Return the codes of required fields that have only one code, by attribute."""
    required = {member.attribute for member in layout.members if is_required(member)}
    coded = coded_members(layout)
    return {name: next(iter(codes)) for name, codes, _ in coded if name in required and len(codes) == 1}


def tag_of(block: Block, attribute: str) -> int:
    return next(member.tag for member in block.LAYOUT.members if member.attribute == attribute)


def fields_of(layout: BlockLayout, *kinds: Kind) -> list[FieldMember]:
    return [
        member for member in layout.members if isinstance(member, FieldMember) and member.field.kind in kinds
    ]


def coded_members(layout: BlockLayout) -> list[tuple[str, Any, Kind]]:
    """Return the attribute, the codeset and the kind of each field that has one."""
    fields = [member.field for member in layout.members if isinstance(member, FieldMember)]
    return [(field.attribute, field.codes, field.kind) for field in fields if field.codes is not None]


def groups_of(layout: BlockLayout) -> list[GroupMember]:
    return [member for member in layout.members if isinstance(member, GroupMember)]


def converted(layout: BlockLayout, attribute: str, value: object) -> Any:
    """Return the value of an attribute after the constructor has converted it."""
    return getattr(minimal(layout, **{attribute: value}), attribute)


@every_block
def test_a_minimal_instance_has_none_and_empty_lists(layout: BlockLayout) -> None:
    instance = minimal(layout)
    for member in layout.members:
        value = getattr(instance, member.attribute)
        if isinstance(member, GroupMember):
            assert value == []
        elif not is_required(member) and member.presence is not Presence.REQUIRED:
            assert value is None
    assert instance.unknown == ()


@every_block
def test_a_required_field_cannot_be_omitted(layout: BlockLayout) -> None:
    instance = minimal(layout)
    required = {member.attribute for member in layout.members if is_required(member)}
    given = {name: getattr(instance, name) for name in required}
    for name in required - CONSTANTS - only_codes(layout).keys():
        with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{name}'"):
            layout.cls(**{key: value for key, value in given.items() if key != name})


@every_block
def test_a_required_field_with_one_code_defaults_to_it(layout: BlockLayout) -> None:
    only = only_codes(layout)
    instance = minimal(layout)
    given = {
        member.attribute: getattr(instance, member.attribute)
        for member in layout.members
        if is_required(member) and member.attribute not in only
    }
    with_defaults = layout.cls(**given)
    assert {name: getattr(with_defaults, name) for name in only} == only
    for name, code in only.items():
        # The codeset is open, so another value may be sent. The value None does not select the default.
        other = type(code.value)(7)
        assert getattr(layout.cls(**given, **{name: other}), name) == other
        with pytest.raises(TypeError, match=f"{layout.name}.{name}"):
            layout.cls(**given, **{name: None})


def test_fields_the_peer_omits_are_not_filled_with_defaults() -> None:
    order = kalshi_fix_sansio.NewOrderSingle(cl_ord_id="a", symbol="X", side="1", order_qty=1, price="0.5")
    header = kalshi_fix_sansio.Header(
        msg_seq_num=2, sender_comp_id="a", target_comp_id="b", sending_time=datetime(2026, 10, 1, tzinfo=UTC)
    )
    frame = kalshi_fix_sansio.encode(order, header)
    body = frame.split(b"\x01", 2)[2].rpartition(b"10=")[0]
    field = b"%d=%s\x01" % (tag_of(order, "ord_type"), order.ord_type.encode())
    assert body.count(b"\x01" + field) == 1
    for _ in range(4):  # the full decoder reads the first messages, the compiled shape the later ones
        read: Any = kalshi_fix_sansio.decode(
            encode_frame(DIALECT.begin_string, body.replace(b"\x01" + field, b"\x01"))
        )
        assert read.ord_type is None
        assert [problem.tag for problem in read.problems] == [tag_of(order, "ord_type")]


@every_block
def test_instances_are_equal_field_by_field(layout: BlockLayout) -> None:
    instance = full(layout)
    assert instance == full(layout)
    for member in layout.members:
        other = full(layout)
        setattr(other, member.attribute, None)
        changed = getattr(instance, member.attribute) is not None
        assert (instance != other) is changed
    assert attrs.evolve(instance, unknown=()) != instance


@every_block
def test_attributes_and_layout_agree(layout: BlockLayout) -> None:
    names = {field.name for field in attrs.fields(layout.cls)} - {"unknown", "header", "trailer", "problems"}
    assert {member.attribute for member in layout.members} == names
    assert layout.cls.LAYOUT is layout


@every_block
def test_instances_have_slots_and_no_dict(layout: BlockLayout) -> None:
    instance = minimal(layout)
    assert not hasattr(instance, "__dict__")
    assert "__setattr__" not in {name for cls in layout.cls.__mro__[:-1] for name in vars(cls)}
    with pytest.raises(AttributeError):
        instance.no_such_field = 1
    with pytest.raises(TypeError):
        layout.cls("positional")


@every_block
def test_a_constructor_takes_every_attribute_as_a_documented_keyword(layout: BlockLayout) -> None:
    parameters = inspect.signature(layout.cls).parameters
    hints = get_type_hints(layout.cls.__init__)
    assert set(hints) - {"return"} == set(parameters) == {field.name for field in attrs.fields(layout.cls)}
    for field in attrs.fields(layout.cls):
        default = [] if isinstance(field.default, attrs.Factory) else field.default  # type: ignore[arg-type]
        given = parameters[field.name].default
        if default is attrs.NOTHING:
            assert given is inspect.Parameter.empty
        elif default == []:
            assert given == ()
        else:
            assert given is default


@every_block
def test_copies_are_equal_and_independent(layout: BlockLayout) -> None:
    instance = full(layout)
    for other in (copy.deepcopy(instance), pickle.loads(pickle.dumps(instance)), attrs.evolve(instance)):
        assert other == instance
        for member in groups_of(layout):
            assert getattr(other, member.attribute) is not getattr(instance, member.attribute)


class Other(StrEnum):
    """Code values of a field that no message contains."""

    ONE = "1"
    BUY = "buy"


class OtherNumber(IntEnum):
    ONE = 1


class Text(str):
    pass


UNUSUAL_VALUES: list[Any] = [
    *(
        "",
        "x",
        "1",
        "Y",
        "a\x01b",
        "a\0b",
        "é",
        "日",
        "1.50",
        "1e5",
        "1_0",
        "NaN",
        "+5",
        "-5",
        "1" * 19,
        "1" * 25,
    ),
    *(Text("1"), True, False, 0, -1, 1, 10**18 - 1, 10**18, 1.0, 0.5, b"", b"x\x01", bytearray(b"x")),
    *map(Decimal, ("1", "NaN", "sNaN", "1E+5", "1E+40", "1" * 19, "1" * 40)),
    *(datetime(2026, 8, 1), datetime(2026, 8, 1, tzinfo=UTC), date(2026, 8, 1), time(1)),  # noqa: DTZ001
    *([], [None], (), {}, Other.ONE, OtherNumber.ONE, object()),
]


@every_block
def test_accepted_values_can_be_encoded(layout: BlockLayout) -> None:
    for member in fields_of(layout, *Kind):
        for value in UNUSUAL_VALUES * 2:
            try:
                held = converted(layout, member.attribute, value)
            except (TypeError, ValueError):
                continue
            kind = member.field.kind
            assert PARSERS[kind](format_value(kind, held)) == held or kind is Kind.UTCTIMESTAMP
            assert not isinstance(held, (Other, OtherNumber)) or member.field.codes is None
            assert value is not True or kind is Kind.BOOLEAN


@every_block
def test_a_group_accepts_entries_from_any_iterable_and_refuses_other_objects(layout: BlockLayout) -> None:
    for member in groups_of(layout):
        entry = minimal(member.entry)
        for given in ([entry], (entry,), iter([entry])):
            held = converted(layout, member.attribute, given)
            assert held == [entry]
            assert held is not given
        first, second = (getattr(minimal(layout), member.attribute) for _ in range(2))
        assert first is not second
        for wrong in (None, 0, False, "x", [None]):
            with pytest.raises(TypeError):
                converted(layout, member.attribute, wrong)


@every_block
def test_floats_are_refused(layout: BlockLayout) -> None:
    for member in fields_of(layout, Kind.DECIMAL):
        with pytest.raises(TypeError, match="a float is not exact: give a Decimal, an int or a string"):
            converted(layout, member.attribute, 0.5)
        for value in ("0.50", Decimal("0.50"), 1):
            assert converted(layout, member.attribute, value) == Decimal(value)


@every_block
def test_the_error_of_a_constructor_names_class_attribute_field_and_value(layout: BlockLayout) -> None:
    for member in layout.members:
        with pytest.raises(TypeError) as caught:
            minimal(layout, **{member.attribute: frozenset({1})})
        name = f"{layout.cls.__name__}.{member.attribute}, {member.name} ({member.tag}), cannot be "
        secret = isinstance(member, FieldMember) and member.field.secret
        value = "the given value" if secret else "of class frozenset"
        assert str(caught.value).startswith(f"{name}{value}: ")
    text = f"^{layout.cls.__name__}.unknown cannot be 5: 'int' object is not it"
    with pytest.raises(TypeError, match=text):
        minimal(layout, unknown=5)


@every_block
def test_the_name_of_a_code_is_explained_where_a_value_is_expected(layout: BlockLayout) -> None:
    for attribute, codes, _ in coded_members(layout):
        for code in codes:
            if code.name in codes._value2member_map_:
                continue
            with pytest.raises(ValueError, match=r" cannot be '") as caught:
                converted(layout, attribute, code.name)
            name = f"{codes.__name__}.{code.name}"
            text = f"that is the name of {name}, whose value is {code.value!r}; known values are "
            assert text in str(caught.value)


def test_the_error_for_a_secret_does_not_contain_it() -> None:
    text = r"^Logon\.password, Password \(554\), cannot be the given value: "
    for wrong in ("hunter2\x01", "hunter2\u20ac"):
        with pytest.raises(ValueError, match=text) as caught:
            minimal(MESSAGES["Logon"], password=wrong)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


@every_block
def test_datetimes_become_utc_and_naive_ones_are_refused(layout: BlockLayout) -> None:
    for member in fields_of(layout, Kind.UTCTIMESTAMP):
        with pytest.raises(ValueError, match="expected a datetime with a time zone"):
            converted(layout, member.attribute, datetime(2026, 8, 1))  # noqa: DTZ001 - naive on purpose
        abroad = datetime(2026, 8, 1, 9, 30, tzinfo=timezone(timedelta(hours=-4)))
        held = converted(layout, member.attribute, abroad)
        assert (held, held.utcoffset(), held.hour) == (abroad, timedelta(0), 13)


@every_block
def test_integer_fields_refuse_booleans(layout: BlockLayout) -> None:
    for member in fields_of(layout, Kind.INT, Kind.SEQNUM, Kind.LENGTH):
        with pytest.raises(TypeError, match="expected an integer, not bool"):
            converted(layout, member.attribute, True)


@every_block
def test_known_codes_become_enum_members_and_unknown_ones_stay_plain(layout: BlockLayout) -> None:
    for attribute, codes, kind in coded_members(layout):
        for code in codes:
            assert converted(layout, attribute, code.value) is code
        unknown: Any = 7777 if kind is Kind.INT else "~"
        held = converted(layout, attribute, unknown)
        assert held == unknown
        assert not isinstance(held, Enum)


@every_block
def test_a_repr_shows_units_and_hides_secrets(layout: BlockLayout) -> None:
    shown = repr(full(layout))
    assert shown.startswith(f"{layout.cls.__name__}(")
    for member in layout.members:
        if not isinstance(member, FieldMember) or member.tag in CODEC_TAGS:
            continue
        assert f"{member.attribute}=" in shown
        if member.field.secret:
            assert f"{member.attribute}=<hidden>" in shown
        elif member.field.unit:
            value = shown.partition(f"{member.attribute}=")[2].partition("=")[0]
            assert (f" {member.field.unit}" in value) == (member.field.unit != BY_SESSION)


@every_block
def test_the_encoder_writes_every_field_in_the_order_of_the_layout(layout: BlockLayout) -> None:
    text = layout.encode(full(layout))
    position = 0
    for member in layout.members:
        if member.tag in CODEC_TAGS:
            continue
        assert text.count(f"\x01{member.tag}=") + text.startswith(f"{member.tag}=") >= 1
        found = f"\x01{text}".index(f"\x01{member.tag}=", position)
        assert found >= position
        position = found
    assert text.count("29999=new\x01") == text.count("29999=")


@pytest.mark.parametrize("name", sorted([*BLOCKS, *CODESETS]))
def test_every_class_can_be_imported_from_the_package(name: str) -> None:
    assert name in kalshi_fix_sansio.__all__
    assert getattr(kalshi_fix_sansio, name).__name__ == name


def test_message_classes_know_their_type() -> None:
    for msg_type, layout in DIALECT.messages.items():
        assert issubclass(layout.cls, kalshi_fix_sansio.FixMessage)
        assert issubclass(layout.cls, Message)
        assert msg_type == layout.cls.MSG_TYPE
        assert layout.cls.NAME == layout.name == layout.cls.__name__
        assert layout.cls.MESSAGE is DIALECT.layout_of(layout.cls) is layout


def test_a_code_of_another_codeset_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected Side or a plain value, not OrdType\.LIMIT"):
        minimal(MESSAGES["NewOrderSingle"], side=kalshi_fix_sansio.OrdType.LIMIT)


def test_secrets_are_marked() -> None:
    assert {field.name for field in DIALECT.fields.values() if field.secret} == {
        "EncryptedNewPassword",
        "EncryptedPassword",
        "NewPassword",
        "Password",
        "RawData",
        "Signature",
    }
