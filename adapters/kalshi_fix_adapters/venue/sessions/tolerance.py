"""What the venue takes although the spec does not let clients send it, and the other way round.

ExDestination (100) should not be sent on margin and is ignored there (the page on margin order entry). A
fraction of a Price (44) in cents is cut off (the page on subpenny pricing), and a price that no market takes
is refused by the exchange, not as a malformed message (the venue's changelog of 2 July 2026).

A Side (54) or SelfTradePreventionType (2964) that is none is refused by Reject (373=5), since the report of a
refused order would have to repeat it; other codes that nobody knows make an order invalid.
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
_REPEATED = ("side", "self_trade_prevention_type")
"""Codes of an order that its reports repeat."""


def _tolerant_member(member: Member, product: str) -> Member:
    # Where the spec is stricter than the venue a rule goes; where the venue is stricter one comes.
    if member.attribute == "ex_destination" and product == MARGIN:
        return attrs.evolve(member, presence=Presence.OPTIONAL, rules=(), limits=())
    if member.attribute in _REPEATED and isinstance(member, FieldMember):
        return attrs.evolve(member, field=attrs.evolve(member.field, open_codes=False))
    if member.attribute == "price" and isinstance(member, FieldMember):
        return attrs.evolve(member, limits=(), field=attrs.evolve(member.field, limits=()))
    return member


def _tolerant(layout: MessageLayout, product: str) -> MessageLayout:
    members = tuple(_tolerant_member(member, product) for member in layout.body.members)
    return attrs.evolve(layout, body=attrs.evolve(layout.body, members=members))


def _dialect(product: str) -> Dialect:
    changed = {cls.MSG_TYPE: _tolerant(cls.MESSAGE, product) for cls in _MESSAGES}
    return attrs.evolve(DIALECT, messages=MappingProxyType({**DIALECT.messages, **changed}))


CODECS: Mapping[str, Codec] = MappingProxyType(
    {product: Codec(_dialect(product)) for product in (PREDICTION, MARGIN)}
)
"""By product, each with the dialect that the venue holds clients to."""
