"""What the venue takes although the spec does not let clients send it.

ExDestination (100) should not be sent on margin and is ignored there (the page on margin order entry). A
fraction of a Price (44) in cents is cut off (the page on subpenny pricing), and a price that no market takes
is refused by the exchange, not as a malformed message (the venue's changelog of 2 July 2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from kalshi_fix_adapters.venue.exchange import MARGIN, PREDICTION
from kalshi_fix_sansio import DIALECT, NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.layout import Dialect, FieldMember, Member, MessageLayout, Presence

_MESSAGES = (NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest)


def _tolerant_member(member: Member, product: str) -> Member:
    if member.attribute == "ex_destination" and product == MARGIN:
        return attrs.evolve(member, presence=Presence.OPTIONAL, rules=(), limits=())
    if member.attribute == "price" and isinstance(member, FieldMember):
        return attrs.evolve(member, limits=(), field=attrs.evolve(member.field, limits=()))
    return member


def _tolerant(layout: MessageLayout, product: str) -> MessageLayout:
    members = tuple(_tolerant_member(member, product) for member in layout.body.members)
    return attrs.evolve(layout, body=attrs.evolve(layout.body, members=members))


def _dialect(product: str) -> Dialect:
    changed = {cls.MSG_TYPE: _tolerant(DIALECT.by_class[cls], product) for cls in _MESSAGES}
    return attrs.evolve(DIALECT, messages=MappingProxyType({**DIALECT.messages, **changed}))


CODECS: Mapping[str, Codec] = MappingProxyType(
    {product: Codec(_dialect(product)) for product in (PREDICTION, MARGIN)}
)
"""By product, each with the dialect that the venue holds clients to."""
