"""Converts a venue's settings, and the arguments of logged calls, to JSON values and back, according to their
annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import time, tzinfo
from decimal import Decimal
from functools import cache
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

import attrs
from cattrs.errors import ForbiddenExtraKeysError, StructureHandlerNotFoundError
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.signing import Verifier
from kalshi_fix_venue.config import VenueConfig
from kalshi_fix_venue.exchange import Command
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.operations.base import Operation
from kalshi_fix_venue.venue import VenueModel


class UnknownValueError(ConfigurationError):
    """A value cannot be logged, or a log contains an invalid value."""


def dump_config(config: VenueConfig) -> Any:
    """Return settings as JSON values, without the public keys.

    Raises:
        UnknownValueError: the time zone has no name.
    """
    return _CONVERTER.unstructure(config)


def load_config(plain: Any, key: Verifier) -> VenueConfig:
    """Return settings with `key` in place of every public key.

    Raises:
        UnknownValueError: the value was not produced by this release's `dump_config`.
    """
    with _translate_conversion_errors():
        config = _CONVERTER.structure(plain, VenueConfig)
        return attrs.evolve(
            config, api_keys=tuple(attrs.evolve(each, public_key=key) for each in config.api_keys)
        )


def dump_arguments(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a method of `VenueModel` as JSON values, by name."""
    hints = _hints(name)
    return {argument: _CONVERTER.unstructure(value, hints[argument]) for argument, value in arguments.items()}


def load_arguments(name: str, plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a method of `VenueModel`.

    Raises:
        UnknownValueError: the value was not produced by this release's `dump_arguments`.
    """
    hints = _hints(name)
    with _translate_conversion_errors():
        return {argument: _CONVERTER.structure(value, hints[argument]) for argument, value in plain.items()}


@cache
def _hints(name: str) -> dict[str, Any]:
    return get_type_hints(getattr(VenueModel, name))


@contextmanager
def _translate_conversion_errors() -> Iterator[None]:
    """Raise the errors of a conversion as UnknownValueError."""
    try:
        yield
    except (
        *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
        *(ConfigurationError, ForbiddenExtraKeysError, StructureHandlerNotFoundError),
    ) as error:
        raise UnknownValueError(f"a value cannot be read ({type(error).__name__}: {error})") from None


def _zone_name(zone: tzinfo) -> str:
    if not isinstance(zone, ZoneInfo):
        raise UnknownValueError(f"an input log cannot represent the time zone {zone!r}; use a ZoneInfo")
    return zone.key


# Sets are sorted, because their iteration order differs between processes.
_CONVERTER = make_converter(
    detailed_validation=False,
    forbid_extra_keys=True,
    unstruct_collection_overrides={AbstractSet: sorted},
)
for _type, _dump, _load in (
    (Decimal, str, Decimal),
    (time, time.isoformat, time.fromisoformat),
    (tzinfo, _zone_name, ZoneInfo),
    (bytes, lambda data: data.decode("latin-1"), lambda text: text.encode("latin-1")),
    (Verifier, lambda _: None, lambda _: None),
):
    _CONVERTER.register_unstructure_hook(_type, _dump)
    _CONVERTER.register_structure_hook(_type, lambda value, _, load=_load: load(value))
_CONVERTER.register_unstructure_hook(Operation, lambda each: [each.NAME, each.values()])
_CONVERTER.register_structure_hook(Operation, lambda plain, _: operation(*plain))
configure_tagged_union(Command, _CONVERTER)
