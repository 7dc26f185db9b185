"""Differences between the messages that the venue accepts and those that the spec lets clients send.

ExDestination (100) should not be sent on margin and is ignored there (Kalshi's page on margin order entry).
Fractions of a cent in a Price (44) in cents are truncated (Kalshi's page on subpenny pricing).
An invalid price is refused by the exchange; its message is not rejected as malformed (Kalshi's changelog of 2
July 2026).
Flags of a QuoteRequest (R) outside its group are dropped (Kalshi's page on RFQ messages).

An unknown Side (54) or SelfTradePreventionType (2964) is refused with a Reject with SessionRejectReason
(373) 5, because the report of a refused order would have to repeat the code. Other unknown codes make an
order invalid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import attrs

from kalshi_fix_sansio import (
    DIALECT,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    QuoteRequest,
)
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    Dialect,
    FieldMember,
    GroupMember,
    Member,
    Presence,
)
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_venue.exchange import MARGIN, PREDICTION

_MESSAGES = (NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest)
_REPEATED_FIELDS = ("side", "self_trade_prevention_type")
"""Fields of an order whose codes are repeated in its reports."""


def _tags(block: BlockLayout) -> Iterator[int]:
    for member in block.members:
        yield member.tag
        if isinstance(member, GroupMember):
            yield from _tags(member.entry)


(_SYMBOL_GROUP,) = (
    member
    for member in QuoteRequest.MESSAGE.body.members
    if isinstance(member, GroupMember) and member.attribute == "related_sym"
)
_SYMBOL_TAGS = frozenset(_tags(_SYMBOL_GROUP.entry))
_DROPPED_TAGS = frozenset(
    member.tag
    for member in _SYMBOL_GROUP.entry.members
    if member.name in ("RestRemainder", "ReplaceExisting", "TargetCostExcludesFees")
)
"""Tags of flags that are dropped outside the group of a QuoteRequest."""


class VenueCodec(Codec):
    """A codec that decodes client messages according to the venue's rules."""

    def check(self, frame: bytes | Frame) -> tuple[Message, tuple[Problem, ...]]:
        """Check a message as `Codec` does, but drop flags of a QuoteRequest outside its group."""
        message, problems = super().check(frame)
        if (
            problems
            and isinstance(message, QuoteRequest)
            and any(each.tag in _DROPPED_TAGS for each in problems)
        ):
            data = frame.data if isinstance(frame, Frame) else frame
            return super().check(Frame(_drop_misplaced_flags(data)))
        return message, problems


def _drop_misplaced_flags(data: bytes) -> bytes:
    """Return a QuoteRequest without the flags outside its group; BodyLength and CheckSum are not updated."""
    kept: list[bytes] = []
    in_group = False
    for field in data.split(b"\x01"):
        digits = field.partition(b"=")[0]
        tag = int(digits) if digits.isdigit() else 0
        in_group = tag == _SYMBOL_GROUP.tag or (in_group and tag in _SYMBOL_TAGS)
        if in_group or tag not in _DROPPED_TAGS:
            kept.append(field)
    return b"\x01".join(kept)


def _tolerant_member(member: Member, product: str) -> Member:
    # Remove rules where the spec is stricter than the venue; add rules where the venue is stricter.
    if member.attribute == "ex_destination" and product == MARGIN:
        return attrs.evolve(member, presence=Presence.OPTIONAL, rules=(), limits=())
    if member.attribute in _REPEATED_FIELDS and isinstance(member, FieldMember):
        return attrs.evolve(member, field=attrs.evolve(member.field, open_codes=False))
    if member.attribute == "price" and isinstance(member, FieldMember):
        return attrs.evolve(member, limits=(), field=attrs.evolve(member.field, limits=()))
    return member


def _dialect(product: str) -> Dialect:
    messages = dict(DIALECT.messages)
    for layout in (cls.MESSAGE for cls in _MESSAGES):
        members = tuple(_tolerant_member(member, product) for member in layout.body.members)
        messages[layout.msg_type] = attrs.evolve(layout, body=attrs.evolve(layout.body, members=members))
    return attrs.evolve(DIALECT, messages=MappingProxyType(messages))


CODECS: Mapping[str, Codec] = MappingProxyType(
    {product: VenueCodec(_dialect(product)) for product in (PREDICTION, MARGIN)}
)
"""The codec of each product, with the dialect that the venue enforces."""
