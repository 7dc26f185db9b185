"""What the venue lets pass although clients should not send it.

ExDestination (100) should not be sent on margin and is ignored there (the page on margin order entry), so
the spec does not let clients send it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from kalshi_fix_adapters.venue.exchange import MARGIN, PREDICTION
from kalshi_fix_sansio import DIALECT, NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.layout import Dialect, Member, MessageLayout, Presence
from kalshi_fix_sansio.messages import CODEC

_IGNORED = "ex_destination"
_MESSAGES = (NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest)


def _let_pass(member: Member) -> Member:
    if member.attribute != _IGNORED:
        return member
    return attrs.evolve(member, presence=Presence.OPTIONAL, rules=(), limits=())


def _tolerant(layout: MessageLayout) -> MessageLayout:
    members = tuple(_let_pass(member) for member in layout.body.members)
    return attrs.evolve(layout, body=attrs.evolve(layout.body, members=members))


def _of_margin() -> Dialect:
    changed = {cls.MSG_TYPE: _tolerant(DIALECT.by_class[cls]) for cls in _MESSAGES}
    return attrs.evolve(DIALECT, messages=MappingProxyType({**DIALECT.messages, **changed}))


CODECS: Mapping[str, Codec] = MappingProxyType({PREDICTION: CODEC, MARGIN: Codec(_of_margin())})
"""By product, each with the dialect that the venue holds clients to."""
