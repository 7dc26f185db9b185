"""Whether a message is what its layout allows on one product and session type, from one side.

The session asks before anything is sent, so that a message which the other side would refuse raises in the
caller's face; a strict receiving side asks the same of what came in. The rules are the dialect's: where a
message may be sent at all, what is required, optional or forbidden there, conditions between fields, bounds
of groups, limits of values.

What a layout says is worked out once for each product, session type and side, then kept: as `plans`, which
name every problem, and as code (`sound`) that tells a sound message in a fraction of that time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.layout import BlockLayout, MessageLayout, Sender
from kalshi_fix_sansio.problems import Problem, Reason
from kalshi_fix_sansio.validation.plans import plan_of
from kalshi_fix_sansio.validation.sound import Check, sound_check

__all__ = ["Check", "checker", "validate", "validate_block"]

_MAX_PLANS: Final = 1024
"""How many worked-out layouts are kept: far more than a dialect has, for all its sessions."""


def validate(
    message: Any, layout: MessageLayout, *, product: str, session: str, sender: Sender
) -> tuple[Problem, ...]:
    """Return everything that is wrong with a message to be sent by this side; empty if it may go.

    Args:
        message: an instance of the layout's class.
        layout: the message's layout.
        product: which of the dialect's products is spoken.
        session: the session type's name, such as KalshiNR.
        sender: which side sends the message.
    """
    return _lookup(layout, _checker, product, session, sender)(message)


def checker(layout: MessageLayout, *, product: str, session: str, sender: Sender) -> Check:
    """Return `validate` for messages of one layout in one place, for who asks often."""
    return _lookup(layout, _checker, product, session, sender)


def validate_block(
    block: Any, layout: BlockLayout, *, product: str, session: str, sender: Sender
) -> tuple[Problem, ...]:
    """Return everything that is wrong with one block: a body, a header, a trailer or a group entry."""
    return tuple(_lookup(layout, plan_of, product, session, sender).problems(block, ""))


_kept: Final[dict[tuple[int, str, str, bool], tuple[object, Any]]] = {}
_L = TypeVar("_L", BlockLayout, MessageLayout)
_P = TypeVar("_P")


def _lookup(
    layout: _L, work_out: Callable[[_L, str, str, Sender], _P], product: str, session: str, sender: Sender
) -> _P:
    """Return what a layout says in one place, worked out when first needed."""
    key = (id(layout), product, session, sender is Sender.CLIENT)
    kept = _kept.get(key)
    if kept is None:
        if len(_kept) >= _MAX_PLANS:
            _kept.clear()
        # The layout is kept beside its plan, so that no other layout can come to have its id.
        kept = _kept[key] = (layout, work_out(layout, product, session, sender))
    found: _P = kept[1]
    return found


def _checker(layout: MessageLayout, product: str, session: str, sender: Sender) -> Check:
    plan = plan_of(layout.body, product, session, sender)
    if layout.allowed(product, session, sender):
        return sound_check(plan, layout.name)
    where = f"{session} ({product})" if product else session
    text = f"{layout.name} ({layout.msg_type}) may not be sent by the {sender.value} on {where}"
    unwanted = Problem(Reason.INVALID_MSG_TYPE, text, 35, layout.msg_type)
    return lambda message: (unwanted, *plan.problems(message, ""))
