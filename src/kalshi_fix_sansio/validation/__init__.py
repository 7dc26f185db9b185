"""Whether a message is what its layout allows on one product and session type, from one side.

The session asks before anything is sent, so that `send` raises for a message which the other side would
refuse; a strict receiving side asks the same of what came in. The rules are the dialect's: where a
message may be sent at all, what is required, optional or forbidden there, conditions between fields, bounds
of groups, limits of values.

What a layout says is worked out once for each place (product, session type, side, what the session was
logged on with), as one function (`compiled`) that asks rule by rule (`rules`) and says what is wrong; it is
kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.layout import (
    BlockLayout,
    Dialect,
    FieldMember,
    LogonFacts,
    MessageLayout,
    Place,
    Sender,
)
from kalshi_fix_sansio.problems import Problem, Reason
from kalshi_fix_sansio.scalars import FORMATTERS
from kalshi_fix_sansio.validation.compiled import Check, compile_presence, compile_rules

__all__ = [
    "Check",
    "block_checker",
    "checker",
    "logon_facts",
    "presence_checker",
    "validate",
    "validate_block",
]

_L = TypeVar("_L", BlockLayout, MessageLayout)
_MAX_KEPT: Final = 1024
"""How many judges are kept: far more than a dialect has layouts, for all its sessions."""


def validate(
    message: Any,
    layout: MessageLayout,
    *,
    product: str,
    session: str,
    sender: Sender,
    logon: LogonFacts | None = None,
    allow_unknown_codes: bool = True,
) -> tuple[Problem, ...]:
    """Return everything that is wrong with a message to be sent by this side; empty if it may go.

    Args:
        message: an instance of the layout's class.
        layout: the message's layout.
        product: which of the dialect's products is spoken.
        session: the session type's name, such as KalshiNR.
        sender: which side sends the message.
        logon: what the session was logged on with (`logon_facts`); with None what depends on it is not asked.
        allow_unknown_codes: whether code values that the dialect does not know may be sent where a venue may
            add some. `Session.send` has it False by default, since they are most likely slips.
    """
    return checker(layout, Place(product, session, sender, layout.msg_type, logon, allow_unknown_codes))(
        message
    )


def checker(layout: MessageLayout, place: Place) -> Check:
    """Return `validate` for messages of one layout in one place, for who asks often."""
    return _lookup(layout, _message_judge, place)


def validate_block(
    block: Any,
    layout: BlockLayout,
    *,
    product: str,
    session: str,
    sender: Sender,
    msg_type: str = "",
    logon: LogonFacts | None = None,
) -> tuple[Problem, ...]:
    """Return everything that is wrong with one block: a body, a header, a trailer or a group entry.

    `msg_type` is the message that it belongs to, which matters to a header; `logon` is as in `validate`.
    """
    return block_checker(layout, Place(product, session, sender, msg_type, logon))(block)


def block_checker(layout: BlockLayout, place: Place) -> Check:
    """Return `validate_block` for blocks of one layout in one place, for who asks often."""
    return _lookup(layout, compile_rules, place)


def presence_checker(layout: BlockLayout, place: Place) -> Check:
    """Return `block_checker` without limits of values: what is missing, and what must not be there."""
    return _lookup(layout, compile_presence, place)


def logon_facts(dialect: Dialect, logon: Any) -> LogonFacts:
    """Return what rules of the dialect ask of the client's Logon: which fields are set, and to what."""
    facts = []
    for member in type(logon).LAYOUT.members:
        value = getattr(logon, member.attribute)
        if member.name in dialect.logon_names and value is not None and isinstance(member, FieldMember):
            with contextlib.suppress(EncodeError):
                facts.append((member.name, FORMATTERS[member.field.kind](value)))
    return tuple(facts)


_kept: Final[dict[tuple[int, Place, object], tuple[object, Check]]] = {}


def _lookup(layout: _L, work_out: Callable[[_L, Place], Check], place: Place) -> Check:
    """Return the judge of a layout in one place, made when first needed."""
    # By identity, for the hash of a layout is made of all that is in it, each time.
    key = (id(layout), place, work_out)
    kept = _kept.get(key)
    if kept is None:
        if len(_kept) >= _MAX_KEPT:
            _kept.clear()
        # The layout is kept beside its judge, so that no other layout can come to have its id.
        kept = _kept[key] = (layout, work_out(layout, place))
    return kept[1]


def _message_judge(layout: MessageLayout, place: Place) -> Check:
    check = compile_rules(layout.body, place)
    if layout.allowed(place.product, place.session, place.sender):
        return check
    where = f"{place.session} ({place.product})" if place.product else place.session
    text = f"{layout.name} ({layout.msg_type}) may not be sent by the {place.sender.value} on {where}"
    unwanted = Problem(Reason.INVALID_MSG_TYPE, text, 35, layout.msg_type)
    return lambda message: (unwanted, *check(message))
