"""Validation of a message against its layout, for one product, session type and sender.

The session validates messages before it sends them, so `send` raises an exception for a message that the peer
would reject. A strict session applies the same rules to incoming messages. The dialect defines the rules:
where a message may be sent, which of its members are required, optional or forbidden there, conditions
between fields, the number of group entries, and limits on values.

For each `MessageContext` (product, session type, side, settings of the Logon), the rules of a layout are
compiled once into a function that returns the problems. The function is then cached. `compiled` generates the
function; `rules` determines the rules that apply in a context, and contains the texts of the problems.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    Dialect,
    FieldMember,
    LogonFacts,
    MessageContext,
    MessageLayout,
    Sender,
)
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.scalars import FORMATTERS
from kalshi_fix_sansio.validation.compiled import Check, compile_rules

__all__ = [
    "Check",
    "block_checker",
    "checker",
    "logon_facts",
    "presence_checker",
    "validate",
]

_L = TypeVar("_L", BlockLayout, MessageLayout)
_MAX_CACHED: Final = 1024
"""Maximum number of compiled checks that are cached, which is far more than a dialect needs for all its
session types.
"""


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
    """Return all problems with a message that a side is about to send; empty if it may be sent.

    Args:
        message: an instance of the layout's class.
        layout: the message's layout.
        product: the product of the dialect.
        session: the session type's name, such as KalshiNR.
        sender: which side sends the message.
        logon: the settings of the session's Logon (`logon_facts`); None skips the rules that depend on them.
        allow_unknown_codes: whether code values that the dialect does not define are valid in fields to which
            the venue may add values. `Session.send` uses False by default, because an undefined value is most
            likely a mistake.
    """
    return checker(
        layout, MessageContext(product, session, sender, layout.msg_type, logon, allow_unknown_codes)
    )(message)


def checker(layout: MessageLayout, context: MessageContext) -> Check:
    """Return the function with which `validate` checks messages with this layout in this context, for
    repeated calls.
    """
    return _lookup(layout, _compile_message_check, context)


def block_checker(layout: BlockLayout, context: MessageContext) -> Check:
    """Return the function that returns all problems with a body, a header, a trailer or a group entry in this
    context. Only the check of a header needs the MsgType of the context.
    """
    return _lookup(layout, compile_rules, context)


def presence_checker(layout: BlockLayout, context: MessageContext) -> Check:
    """Return a check like that of `block_checker`, except that it does not check values: it reports only
    missing and forbidden members.
    """
    return _lookup(layout, _compile_presence, context)


def logon_facts(dialect: Dialect, logon: Any) -> LogonFacts:
    """Return the fields of the client's Logon on which rules of the dialect depend, with their values."""
    facts = []
    for member in type(logon).LAYOUT.members:
        value = getattr(logon, member.attribute)
        if member.name in dialect.logon_names and value is not None and isinstance(member, FieldMember):
            with contextlib.suppress(EncodeError):
                facts.append((member.name, FORMATTERS[member.field.kind](value)))
    return tuple(facts)


_compile_presence = partial(compile_rules, limits=False)
_cached_checks: Final[dict[tuple[int, MessageContext, object], tuple[object, Check]]] = {}


def _lookup(
    layout: _L, compile_check: Callable[[_L, MessageContext], Check], context: MessageContext
) -> Check:
    """Return the check of a layout in a `MessageContext`, compiled on first use."""
    # The key contains the `id` of the layout, because hashing a layout would visit all its members each time.
    key = (id(layout), context, compile_check)
    cached = _cached_checks.get(key)
    if cached is None:
        if len(_cached_checks) >= _MAX_CACHED:
            _cached_checks.clear()
        # Keep the layout with its check, because no other layout can have its `id` while it exists.
        cached = _cached_checks[key] = (layout, compile_check(layout, context))
    return cached[1]


def _compile_message_check(layout: MessageLayout, context: MessageContext) -> Check:
    check = compile_rules(layout.body, context)
    if layout.allowed(context.product, context.session, context.sender):
        return check
    where = f"{context.session} ({context.product})" if context.product else context.session
    text = f"{layout.name} ({layout.msg_type}) must not be sent by the {context.sender.value} on {where}"
    problem = Problem(Reason.INVALID_MSG_TYPE, text, 35, layout.msg_type)
    return lambda message: (problem, *check(message))
