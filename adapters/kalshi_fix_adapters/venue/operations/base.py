"""What all operations have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.venue.parameters import TEXT, Kind, choice, parameter, parameters, shown
from kalshi_fix_sansio import DIALECT, PRODUCTS, SESSION_TYPES
from kalshi_fix_sansio.clock import Instant

if TYPE_CHECKING:
    from kalshi_fix_adapters.venue.venue import Venue

Answer = dict[str, Any]
"""What came of an operation, in what JSON can hold; `said` is a sentence about it."""
PRODUCT = choice(*PRODUCTS)
SESSION = choice(*SESSION_TYPES)
_BY_NAME = {layout.name: msg_type for msg_type, layout in DIALECT.messages.items()}


def _msg_type(value: object) -> str:
    word = str(value)
    if word in DIALECT.messages:
        return word
    found = _BY_NAME.get(word)
    if found is None:
        raise ValueError(f"{word!r} is no MsgType and no message's name; {did_you_mean(word, _BY_NAME)}")
    return found


MESSAGE = Kind("MSGTYPE", _msg_type)
"""A MsgType, given by its code or by the name of its message."""


@attrs.frozen(kw_only=True)
class Operation(ABC):
    """Something to be done to a venue."""

    NAME: ClassVar[str]

    @abstractmethod
    def perform(self, venue: Venue, now: Instant) -> Answer:
        """Do it; say what came of it.

        Raises:
            ConfigurationError: it cannot be done to this venue, of which nothing has changed.
        """

    def values(self) -> dict[str, object]:
        """Return the parameters that differ from their defaults, in what JSON can hold."""
        found: dict[str, object] = {}
        for each in parameters(type(self)):
            value = getattr(self, each.name)
            if each.required or value != each.default:
                found[shown(each.name)] = str(value) if isinstance(value, Decimal) else value
        return found


@attrs.frozen
class Who:
    """A connection, as operations tell it from others; without key and owner until it has logged on."""

    product: str
    session: str
    key: str | None = None
    owner: str | None = None


@attrs.frozen(kw_only=True)
class SessionOperation(Operation):
    """Something about sessions, of everybody unless it is said of whom."""

    key: str | None = parameter(TEXT, "only of the API key with this id", optional=True)
    owner: str | None = parameter(TEXT, "only of the keys of this owner", optional=True)
    session: str | None = parameter(SESSION, "only on this session type", optional=True)
    product: str | None = parameter(PRODUCT, "only of this product", optional=True)

    def concerns(self, who: Who) -> bool:
        """Say whether a connection is among those meant."""
        return (
            self.key in (None, who.key)
            and self.owner in (None, who.owner)
            and self.session in (None, who.session)
            and self.product in (None, who.product)
        )
