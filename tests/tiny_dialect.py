"""A hand-written dialect for tests of the generic core.

With as few messages as possible, it has every kind of value, nested groups, data fields, legacy tags, open
and closed codesets, secrets, and every kind of rule."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, ClassVar

import attrs
from attrs.converters import optional

from kalshi_fix_sansio.dialect.base import Block, Message
from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    Condition,
    Dialect,
    FieldLayout,
    FieldMember,
    GroupMember,
    Kind,
    MessageLayout,
    OneOf,
    Presence,
    PresenceRule,
    Scope,
    Sender,
    SessionType,
)
from kalshi_fix_sansio.dialect.support import to_code, to_entries
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.scalars import (
    to_bool,
    to_char,
    to_data,
    to_date,
    to_datetime,
    to_decimal,
    to_int,
    to_seqnum,
    to_str,
    to_time,
)
from tests.plain_encoder import encode_block

REQUIRED = Presence.REQUIRED
FORBIDDEN = Presence.FORBIDDEN


class Side(StrEnum):
    """An open codeset: a venue may add values."""

    BUY = "1"
    SELL = "2"


class OrdType(StrEnum):
    """A closed codeset: strict checks accept no other value."""

    MARKET = "1"
    LIMIT = "2"


class Role(IntEnum):
    """An open codeset of integers."""

    CLIENT = 3
    MAKER = 35


def _side(value: Any) -> Side | str:
    return to_code(Side, value, to_char)


def _ord_type(value: Any) -> OrdType | str:
    return to_code(OrdType, value, to_char)


def _role(value: Any) -> Role | int:
    return to_code(Role, value, to_int)


def field(tag: int, name: str, attribute: str, kind: Kind, **settings: Any) -> FieldLayout:
    """Return one field whose FIX type has the name of its kind."""
    return FieldLayout(tag=tag, name=name, attribute=attribute, kind=kind, fix_type=kind.name, **settings)


_FIELDS = [
    field(8, "BeginString", "begin_string", Kind.STRING),
    field(9, "BodyLength", "body_length", Kind.LENGTH),
    field(10, "CheckSum", "check_sum", Kind.STRING),
    field(11, "ClOrdID", "cl_ord_id", Kind.STRING, pattern="[a-z0-9-]+", max_length=8),
    field(34, "MsgSeqNum", "msg_seq_num", Kind.SEQNUM),
    field(35, "MsgType", "msg_type", Kind.STRING),
    field(38, "OrderQty", "order_qty", Kind.DECIMAL, unit="contracts"),
    field(40, "OrdType", "ord_type", Kind.CHAR, codes=OrdType, open_codes=False),
    field(43, "PossDupFlag", "poss_dup_flag", Kind.BOOLEAN),
    field(44, "Price", "price", Kind.DECIMAL, unit="dollars or cents", minimum=0, maximum=99),
    field(45, "RefSeqNum", "ref_seq_num", Kind.SEQNUM),
    field(49, "SenderCompID", "sender_comp_id", Kind.STRING),
    field(52, "SendingTime", "sending_time", Kind.UTCTIMESTAMP),
    field(54, "Side", "side", Kind.CHAR, codes=Side),
    field(55, "Symbol", "symbol", Kind.STRING),
    field(56, "TargetCompID", "target_comp_id", Kind.STRING),
    field(58, "Text", "text", Kind.STRING),
    field(64, "SettlDate", "settl_date", Kind.UTCDATEONLY),
    field(79, "AllocAccount", "alloc_account", Kind.INT, minimum=0, maximum=63),
    field(89, "Signature", "signature", Kind.DATA, length_tag=93, secret=True),
    field(93, "SignatureLength", "signature_length", Kind.LENGTH),
    field(95, "RawDataLength", "raw_data_length", Kind.LENGTH),
    field(96, "RawData", "raw_data", Kind.DATA, length_tag=95, secret=True),
    field(126, "ExpireTime", "expire_time", Kind.UTCTIMESTAMP),
    field(146, "NoRelatedSym", "no_related_sym", Kind.NUMINGROUP),
    field(152, "CashOrderQty", "cash_order_qty", Kind.DECIMAL),
    field(268, "NoMDEntries", "no_md_entries", Kind.NUMINGROUP),
    field(269, "MDEntryType", "md_entry_type", Kind.CHAR, codes=Side),
    field(270, "MDEntryPx", "md_entry_px", Kind.DECIMAL, unit="dollars"),
    field(271, "MDEntrySize", "md_entry_size", Kind.DECIMAL),
    field(272, "MDEntryDate", "md_entry_date", Kind.UTCDATEONLY),
    field(273, "MDEntryTime", "md_entry_time", Kind.UTCTIMEONLY),
    field(354, "EncodedTextLen", "encoded_text_len", Kind.LENGTH),
    field(355, "EncodedText", "encoded_text", Kind.DATA, length_tag=354),
    field(383, "MaxMessageSize", "max_message_size", Kind.LENGTH),
    field(448, "PartyID", "party_id", Kind.STRING),
    field(452, "PartyRole", "party_role", Kind.INT, codes=Role),
    field(453, "NoPartyIDs", "no_party_ids", Kind.NUMINGROUP),
    field(523, "PartySubID", "party_sub_id", Kind.STRING),
    field(554, "Password", "password", Kind.STRING, secret=True, pattern="[a-z]+"),
    field(627, "NoHops", "no_hops", Kind.NUMINGROUP),
    field(628, "HopCompID", "hop_comp_id", Kind.STRING),
    field(802, "NoPartySubIDs", "no_party_sub_ids", Kind.NUMINGROUP),
    field(803, "PartySubIDType", "party_sub_id_type", Kind.INT, minimum=0),
    field(5001, "OldFlag", "old_flag", Kind.BOOLEAN),
    field(5002, "NewFlag", "new_flag", Kind.BOOLEAN),
]
FIELDS = {entry.tag: entry for entry in _FIELDS}


def member(tag: int, presence: Presence = Presence.OPTIONAL, **settings: Any) -> FieldMember:
    """Return a member of a block by its tag."""
    return FieldMember(FIELDS[tag], presence, **settings)


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Hop(Block):
    hop_comp_id: str = attrs.field(converter=to_str)


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Header(Block):
    begin_string: str | None = None
    body_length: int | None = None
    msg_type: str | None = None
    sender_comp_id: str | None = None
    target_comp_id: str | None = None
    msg_seq_num: int | None = None
    sending_time: datetime | None = None
    poss_dup_flag: bool | None = None
    hops: list[Hop] = attrs.field(factory=list)


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Trailer(Block):
    signature: bytes | None = attrs.field(default=None, converter=optional(to_data))
    check_sum: str | None = None


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class PartySub(Block):
    party_sub_id: str = attrs.field(converter=to_str)
    party_sub_id_type: int | None = attrs.field(default=None, converter=optional(to_int))


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Party(Block):
    party_id: str = attrs.field(converter=to_str)
    party_role: Role | int | None = attrs.field(default=None, converter=optional(_role))
    party_sub_ids: list[PartySub] = attrs.field(factory=list)
    encoded_text: bytes | None = attrs.field(default=None, converter=optional(to_data))


def _parties(values: Iterable[Party]) -> list[Party]:
    return to_entries(Party, values)


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class RelatedSym(Block):
    symbol: str | None = attrs.field(default=None, converter=optional(to_str))
    order_qty: Decimal | None = attrs.field(default=None, converter=optional(to_decimal))
    cash_order_qty: Decimal | None = attrs.field(default=None, converter=optional(to_decimal))


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Entry(Block):
    md_entry_type: Side | str = attrs.field(converter=_side)
    md_entry_px: Decimal = attrs.field(converter=to_decimal)
    md_entry_size: Decimal | None = attrs.field(default=None, converter=optional(to_decimal))
    md_entry_date: date | None = attrs.field(default=None, converter=optional(to_date))
    md_entry_time: time | None = attrs.field(default=None, converter=optional(to_time))


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Logon(Message):
    MSG_TYPE: ClassVar[str] = "A"
    NAME: ClassVar[str] = "Logon"

    raw_data: bytes | None = attrs.field(default=None, converter=optional(to_data))
    max_message_size: int | None = attrs.field(default=None, converter=optional(to_seqnum))
    new_flag: bool | None = attrs.field(default=None, converter=optional(to_bool))
    password: str | None = attrs.field(default=None, converter=optional(to_str))


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Order(Message):
    MSG_TYPE: ClassVar[str] = "D"
    NAME: ClassVar[str] = "Order"

    cl_ord_id: str = attrs.field(converter=to_str)
    order_qty: Decimal = attrs.field(converter=to_decimal)
    ord_type: OrdType | str | None = attrs.field(default=None, converter=optional(_ord_type))
    price: Decimal | None = attrs.field(default=None, converter=optional(to_decimal))
    side: Side | str | None = attrs.field(default=None, converter=optional(_side))
    symbol: str | None = attrs.field(default=None, converter=optional(to_str))
    text: str | None = attrs.field(default=None, converter=optional(to_str))
    expire_time: datetime | None = attrs.field(default=None, converter=optional(to_datetime))
    settl_date: date | None = attrs.field(default=None, converter=optional(to_date))
    ref_seq_num: int | None = attrs.field(default=None, converter=optional(to_seqnum))
    party_ids: list[Party] = attrs.field(factory=list, converter=_parties)
    alloc_account: int | None = attrs.field(default=None, converter=optional(to_int))
    encoded_text: bytes | None = attrs.field(default=None, converter=optional(to_data))


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Request(Message):
    MSG_TYPE: ClassVar[str] = "R"
    NAME: ClassVar[str] = "Request"

    related_sym: list[RelatedSym] = attrs.field(factory=list)
    alloc_account: int | None = attrs.field(default=None, converter=optional(to_int))
    text: str | None = attrs.field(default=None, converter=optional(to_str))


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Book(Message):
    MSG_TYPE: ClassVar[str] = "W"
    NAME: ClassVar[str] = "Book"

    symbol: str = attrs.field(converter=to_str)
    md_entries: list[Entry] = attrs.field(factory=list)
    party_ids: list[Party] = attrs.field(factory=list)
    text: str | None = attrs.field(default=None, converter=optional(to_str))


def block(name: str, cls: type[Any], *members: FieldMember | GroupMember, **settings: Any) -> BlockLayout:
    """Return the layout of a block and register it with its class."""
    cls.LAYOUT = BlockLayout(name=name, cls=cls, members=members, encode=encode_block, **settings)
    layout: BlockLayout = cls.LAYOUT
    return layout


HOP = block("Hop", Hop, member(628, REQUIRED))
HEADER = block(
    "Header",
    Header,
    *(member(tag, REQUIRED) for tag in (8, 9, 35, 49, 56, 34, 52)),
    member(43),
    GroupMember(FIELDS[627], "hops", HOP, (628,)),
)
TRAILER = block("Trailer", Trailer, member(89), member(10, REQUIRED))
PARTY_SUB = block("PartySub", PartySub, member(523, REQUIRED), member(803))
PARTY_SUBS = GroupMember(FIELDS[802], "party_sub_ids", PARTY_SUB, (523,))
PARTY = block("Party", Party, member(448, REQUIRED), member(452), PARTY_SUBS, member(355))
PARTIES = GroupMember(FIELDS[453], "party_ids", PARTY, (448,), minimum=1, maximum=3)
RELATED_SYM = block(
    "RelatedSym",
    RelatedSym,
    member(55),
    member(38),
    member(152),
    one_of=(OneOf(("OrderQty", "CashOrderQty")),),
)
ENTRY = block(
    "Entry", Entry, member(269, REQUIRED), member(270, REQUIRED), member(271), member(272), member(273)
)

LOGON = MessageLayout(
    "A",
    "Logon",
    block("Logon", Logon, member(96), member(383), member(5002, legacy_tags=(5001,)), member(554)),
    admin=True,
)
ORDER = MessageLayout(
    "D",
    "Order",
    block(
        "Order",
        Order,
        member(11, REQUIRED),
        member(38, REQUIRED),
        member(40),
        member(44, required_when=(Condition((("OrdType", ("2",)),)),)),
        member(54),
        member(55, rules=(PresenceRule(Scope(products=("spot",)), REQUIRED),)),
        member(58, forbidden_when=(Condition((("NoPartyIDs", ()), ("Symbol", None))),)),
        member(126, rules=(PresenceRule(Scope(sessions=("DC",)), FORBIDDEN),)),
        member(64),
        member(45),
        member(355),
        GroupMember(
            FIELDS[453],
            "party_ids",
            PARTY,
            (448,),
            rules=(
                PresenceRule(Scope(sender=Sender.VENUE), REQUIRED),
                PresenceRule(Scope(sessions=("DC",)), FORBIDDEN),
            ),
            minimum=1,
            maximum=3,
        ),
        member(79),
        one_of=(
            OneOf(("NoPartyIDs", "AllocAccount"), optional=True),
            OneOf(("Price", "Symbol"), Scope(products=("spot",)), at_least=True),
        ),
    ),
    admin=False,
    flows=(Scope(sessions=("OE", "DC")), Scope(sender=Sender.VENUE)),
)
REQUEST = MessageLayout(
    "R",
    "Request",
    block(
        "Request",
        Request,
        GroupMember(FIELDS[146], "related_sym", RELATED_SYM, (55, 38, 152), REQUIRED, minimum=1),
        member(79),
        member(58),
    ),
    admin=False,
)
BOOK = MessageLayout(
    "W",
    "Book",
    block(
        "Book",
        Book,
        member(55, REQUIRED),
        GroupMember(FIELDS[268], "md_entries", ENTRY, (269,), REQUIRED),
        PARTIES,
        member(58),
    ),
    admin=False,
)

DIALECT = Dialect(
    name="tiny",
    begin_string="FIXT.1.1",
    appl_ver_id="9",
    header=HEADER,
    trailer=TRAILER,
    messages={layout.msg_type: layout for layout in (LOGON, ORDER, REQUEST, BOOK)},
    fields=FIELDS,
    session_types={"OE": SessionType("OE", resend=True, reset_required=False)},
)

SENDING_TIME = datetime(2026, 8, 1, 12, 30, 15, 123000, tzinfo=UTC)


def header(msg_type: str, number: int = 7) -> Header:
    """Return a header as a session writes it."""
    return Header(
        msg_type=msg_type,
        sender_comp_id="key",
        target_comp_id="venue",
        msg_seq_num=number,
        sending_time=SENDING_TIME,
    )


def frame(msg_type: str, body: str, head: str = "49=a|56=b|34=7|52=20260801-12:30:15.123|") -> bytes:
    """Return a complete message from text with `|` between fields."""
    text = f"35={msg_type}|{head}{body}".replace("|", "\x01")
    return encode_frame("FIXT.1.1", text.encode("latin-1"))
