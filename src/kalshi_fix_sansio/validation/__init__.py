"""Whether a message is what its layout allows on one product and session type, from one side.

The session asks before anything is sent, so that a message which the other side would refuse raises in the
caller's face; a strict receiving side asks the same of what came in. The rules are the dialect's: where a
message may be sent at all, what is required, optional or forbidden there, conditions between fields, bounds
of groups, limits of values.

What a layout says is worked out once for each place (product, session type, side, what the session was
logged on with), then kept: as `plans`, which name every problem, and as code (`sound`) that tells a sound
message in a fraction of that time.
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
from kalshi_fix_sansio.validation.plans import plan_of
from kalshi_fix_sansio.validation.sound import Check, sound_check

__all__ = ["Check", "block_checker", "checker", "logon_facts", "validate", "validate_block"]

_MAX_PLANS: Final = 1024
"""How many worked-out layouts are kept: far more than a dialect has, for all its sessions."""


def validate(
    message: Any,
    layout: MessageLayout,
    *,
    product: str,
    session: str,
    sender: Sender,
    logon: LogonFacts | None = None,
    known_codes: bool = False,
) -> tuple[Problem, ...]:
    """Return everything that is wrong with a message to be sent by this side; empty if it may go.

    Args:
        message: an instance of the layout's class.
        layout: the message's layout.
        product: which of the dialect's products is spoken.
        session: the session type's name, such as KalshiNR.
        sender: which side sends the message.
        logon: what the session was logged on with (`logon_facts`); with None what depends on it is not asked.
        known_codes: whether code values that the dialect does not know are wrong, even where a venue may add
            some.
    """
    return checker(layout, Place(product, session, sender, layout.msg_type, logon, known_codes))(message)


def checker(layout: MessageLayout, place: Place) -> Check:
    """Return `validate` for messages of one layout in one place, for who asks often."""
    return _lookup(layout, _checker, place)


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
    return _lookup(layout, _block_checker, place)


def logon_facts(dialect: Dialect, logon: Any) -> LogonFacts:
    """Return what rules of the dialect ask of the client's Logon: which fields are set, and to what."""
    facts = []
    for member in type(logon).LAYOUT.members:
        value = getattr(logon, member.attribute)
        if member.name in dialect.logon_names and value is not None and isinstance(member, FieldMember):
            with contextlib.suppress(EncodeError):
                facts.append((member.name, FORMATTERS[member.field.kind](value)))
    return tuple(facts)


_kept: Final[dict[tuple[int, Place], tuple[object, Any]]] = {}
_L = TypeVar("_L", BlockLayout, MessageLayout)
_P = TypeVar("_P")


def _lookup(layout: _L, work_out: Callable[[_L, Place], _P], place: Place) -> _P:
    """Return what a layout says in one place, worked out when first needed."""
    key = (id(layout), place)
    kept = _kept.get(key)
    if kept is None:
        if len(_kept) >= _MAX_PLANS:
            _kept.clear()
        # The layout is kept beside its plan, so that no other layout can come to have its id.
        kept = _kept[key] = (layout, work_out(layout, place))
    found: _P = kept[1]
    return found


def _block_checker(layout: BlockLayout, place: Place) -> Check:
    return sound_check(plan_of(layout, place), layout.name)


def _checker(layout: MessageLayout, place: Place) -> Check:
    plan = plan_of(layout.body, place)
    if layout.allowed(place.product, place.session, place.sender):
        return sound_check(plan, layout.name)
    where = f"{place.session} ({place.product})" if place.product else place.session
    text = f"{layout.name} ({layout.msg_type}) may not be sent by the {place.sender.value} on {where}"
    unwanted = Problem(Reason.INVALID_MSG_TYPE, text, 35, layout.msg_type)
    return lambda message: (unwanted, *plan.problems(message, ""))
