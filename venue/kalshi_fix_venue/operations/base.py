"""The base of all operations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Protocol

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_sansio import DIALECT, PRODUCTS, SESSION_TYPES
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.exchange import Command, Exchange, PauseState
from kalshi_fix_venue.exchange.outcomes import Outcome
from kalshi_fix_venue.gateway.drop_copy import DropCopy
from kalshi_fix_venue.inbox import Backlog
from kalshi_fix_venue.parameters import SECONDS, TEXT, Kind, choice, display_name, parameter, parameters
from kalshi_fix_venue.pauses import PauseWindow

Answer = dict[str, Any]
"""The result of an operation as JSON values; `text` describes it in a sentence."""
PRODUCT = choice(*PRODUCTS)
SESSION = choice(*SESSION_TYPES)
_BY_NAME = {layout.name: msg_type for msg_type, layout in DIALECT.messages.items()}


def number_text(value: Decimal, decimals: int = 0) -> str:
    """Return a number without trailing zeros, but with at least this many decimals.

    Quantities and prices keep the digits of their message, so without this function, equal values could
    differ as text."""
    short = value.normalize()
    return f"{short:.{max(decimals, -int(short.as_tuple().exponent))}f}"


def _msg_type(value: object) -> str:
    word = str(value)
    if word in DIALECT.messages:
        return word
    msg_type = _BY_NAME.get(word)
    if msg_type is None:
        raise ValueError(
            f"{word!r} is neither a MsgType nor a message's name; {did_you_mean(word, _BY_NAME)}"
        )
    return msg_type


MESSAGE = Kind("MSGTYPE", _msg_type)
"""A MsgType, given by its code or by the name of its message."""


class Operable(Protocol):
    """The target of operations: a `VenueModel`, or a substitute for a part of it."""

    @property
    def input_log_path(self) -> Path | None:
        """The path of the input log, which records the calls to the venue; None if none is written."""

    @property
    def failed_operations(self) -> Sequence[str]:
        """Scheduled operations that failed, and why."""

    def new_id(self) -> str:
        """Return an id that has not been used before."""

    def exchange(self, product: str) -> Exchange:
        """Return a product's exchange, for reading only."""

    def drop_copy(self, product: str) -> DropCopy:
        """Return a product's drop copy."""

    def backlog(self, now: Instant) -> Backlog:
        """Return the backlog of unprocessed input."""

    def sessions(self) -> list[dict[str, Any]]:
        """Return the sessions that are logged on."""

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that are armed."""

    def execute(self, product: str, command: Command, now: Instant) -> Sequence[Outcome]:
        """Execute a command on a product's exchange; return its outcomes."""

    def pause(self, window: PauseWindow, now: Instant) -> Mapping[str, PauseState]:
        """Pause; return the resulting state of each product."""

    def resume(self, product: str | None, now: Instant) -> Mapping[str, PauseState]:
        """End pauses; return the resulting state of each product."""

    def inject(self, fault: Fault, now: Instant) -> Answer:
        """Arm a fault."""

    def release(self, name: str | None, now: Instant) -> Answer:
        """Disarm the faults with this name, or all faults."""

    def log_out(self, selection: SessionOperation, text: str | None, now: Instant) -> list[str]:
        """Log out the sessions that `selection` applies to; return the ids of their keys."""


@attrs.frozen(kw_only=True)
class Operation(ABC):
    """An operation on a venue."""

    NAME: ClassVar[str]

    @abstractmethod
    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Perform the operation; return its result.

        Raises:
            ConfigurationError: the operation is not possible on this venue, which is unchanged.
        """

    def values(self) -> dict[str, object]:
        """Return the parameters that differ from their defaults, as JSON values."""
        values: dict[str, object] = {}
        for each in parameters(type(self)):
            value = getattr(self, each.name)
            if each.required or value != each.default:
                values[display_name(each.name)] = str(value) if isinstance(value, Decimal) else value
        return values


def defined_in(module: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operations that a module defines, by name, in the order of their definitions."""
    return {
        cls.NAME: cls
        for cls in module.values()
        if isinstance(cls, type)
        and issubclass(cls, Operation)
        and cls.__module__ == module["__name__"]
        and "NAME" in vars(cls)
    }


@attrs.frozen
class ConnectionIdentity:
    """The attributes of a connection by which operations select it. Key and owner are None until it has
    logged on."""

    product: str
    session: str
    key: str | None = None
    owner: str | None = None


@attrs.frozen(kw_only=True)
class SessionOperation(Operation):
    """An operation on sessions, by default on all of them."""

    key: str | None = parameter(TEXT, "only sessions of the API key with this id", optional=True)
    owner: str | None = parameter(TEXT, "only sessions of this owner's keys", optional=True)
    session: str | None = parameter(SESSION, "only sessions of this type", optional=True)
    product: str | None = parameter(PRODUCT, "only sessions of this product", optional=True)

    def applies_to(self, identity: ConnectionIdentity) -> bool:
        """Return whether the operation applies to a connection."""
        return (
            self.key in (None, identity.key)
            and self.owner in (None, identity.owner)
            and self.session in (None, identity.session)
            and self.product in (None, identity.product)
        )


@attrs.frozen(kw_only=True)
class Fault(SessionOperation):
    """A failure that the venue can simulate."""

    after: float = parameter(SECONDS, "seconds until it begins", default=0.0)
    lasting: float | None = parameter(
        SECONDS, "seconds until it ends; by default it lasts until `release`", optional=True
    )

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Arm the fault, or apply it immediately if it needs no trigger."""
        return venue.inject(self, now)
