"""The shape of a dialect at run time: what the generated tables are made of.

These types are filled by generated code and read by the codec, the validation and the
session. They carry no behaviour of a particular venue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

import attrs

from kalshi_fix_sansio.classes.on_demand import imported
from kalshi_fix_sansio.classes.value import Value


class Kind(Enum):
    """How a value looks on the wire, and which Python type it becomes.

    FIX 5.0 SP2 volume 1, "Data types". Several FIX types share a lexical form: PRICE, QTY,
    AMT, FLOAT and PERCENTAGE are all DECIMAL here.
    """

    STRING = "str"
    CHAR = "char"
    INT = "int"
    LENGTH = "length"
    SEQNUM = "seqnum"
    NUMINGROUP = "numingroup"
    DECIMAL = "Decimal"
    BOOLEAN = "bool"
    UTCTIMESTAMP = "datetime"
    UTCDATEONLY = "date"
    UTCTIMEONLY = "time"
    DATA = "bytes"


class Presence(Enum):
    """Whether a field may, must or must not stand in a message in some context."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    FORBIDDEN = "forbidden"


class Sender(Enum):
    """Which side sends: the client (the initiator) or the venue (the acceptor)."""

    CLIENT = "client"
    VENUE = "venue"


Terms = tuple[tuple[str, tuple[str, ...] | None], ...]
"""FIX names of fields, each with the wire values that satisfy it; an empty one among them stands for an
absent field. No values at all mean "present", None means "absent"."""
LogonFacts = tuple[tuple[str, str], ...]
"""What rules ask of the client's Logon: FIX names and wire values of fields that are set."""


@attrs.frozen
class Place:
    """Where a message is to be judged."""

    product: str
    """The product that is spoken; empty for a dialect that has only one."""
    session: str
    """The session type's name, such as KalshiNR."""
    sender: Sender
    msg_type: str = ""
    """MsgType (35) of the message, for rules about its header; empty if they do not matter."""
    logon: LogonFacts | None = None
    """What the session was logged on with. None if it is not known: what depends on it is not asked then."""
    allow_unknown_codes: bool = True
    """Whether a code value that the dialect does not know is right where the venue may add values."""


@attrs.frozen(eq=False, repr=False)
class Scope(Value):
    """Where a rule applies. An empty tuple means anywhere.

    Attributes:
        sessions: Names of session types.
        sender: The side that sends; None for either.
        messages: MsgTypes (35).
        logon: What the client must have logged on with.
    """

    products: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    sender: Sender | None = None
    messages: tuple[str, ...] = ()
    logon: Terms = ()

    def matches(self, product: str, session: str, sender: Sender) -> bool:
        """Say whether a message on this product and session from this side is meant."""
        return (
            (not self.products or product in self.products)
            and (not self.sessions or session in self.sessions)
            and (self.sender is None or self.sender is sender)
        )

    def covers(self, place: Place) -> bool | None:
        """Say whether this type of message is meant, on a session logged on like this; None if nobody knows
        what it was logged on with."""
        if not self.matches(place.product, place.session, place.sender):
            return False
        if self.messages and place.msg_type not in self.messages:
            return False
        if not self.logon:
            return True
        return None if place.logon is None else _satisfy(dict(place.logon), self.logon)


def _satisfy(facts: Mapping[str, str], terms: Terms) -> bool:
    # Facts are of fields that are set, so an absent one is looked up as the empty value that stands for it.
    return all(
        name not in facts if values is None else facts.get(name, "") in values if values else name in facts
        for name, values in terms
    )


@attrs.frozen(eq=False, repr=False)
class Condition(Value):
    """A closed form over where a message is sent and the fields beside a member: all of it must hold."""

    terms: Terms = ()
    scope: Scope = Scope()


@attrs.frozen(eq=False, repr=False)
class Limit(Value):
    """What a field's values must be where a condition holds; of a counter, how many entries its group has.

    Attributes:
        minimum: The least value that is allowed, in `unit`. So is `maximum` the largest.
        step: Values are multiples of it.
        max_length: The most characters of the wire value.
        pattern: A regular expression that the whole wire value must match.
        values: The wire values that are allowed, if there are any.
        unit: The unit there, for people.
    """

    when: Condition = Condition()
    minimum: Decimal | int | None = None
    maximum: Decimal | int | None = None
    step: Decimal | int | None = None
    max_length: int | None = None
    pattern: str | None = None
    values: tuple[str, ...] = ()
    unit: str | None = None


BY_SESSION: Final = "dollars or cents"
"""The unit of what is in dollars on sessions that logged on with UseDollars, and in cents on others."""


@attrs.frozen(eq=False, repr=False)
class FieldLayout(Value):
    """One field of the dialect: its tag, names, lexical kind and limits.

    Attributes:
        name: The FIX name, such as ClOrdID.
        attribute: The Python name, such as cl_ord_id.
        fix_type: The FIX datatype as the spec has it, such as PRICE.
        codes: The enum class of the code values, or None. Unknown values are kept as plain values.
        open_codes: Whether values that the enum does not list are acceptable to strict checks.
        unit: Unit for people: `dollars`, `cents`, `contracts`, `seconds`, `hours`, or `BY_SESSION`.
        length_tag: For data fields, the tag that carries the length.
        minimum: The least value, in `unit`; None for any. So is `maximum` the largest.
        max_length: The most characters of the wire value.
        pattern: A regular expression the whole value must match; checked on what is sent and by strict
            decoding.
        limits: Limits that depend on where the field is sent; of those that apply the last one holds.
        secret: Whether the value must never be shown (signatures, passwords).
    """

    tag: int
    name: str
    attribute: str
    kind: Kind
    fix_type: str
    codes: Any = None
    open_codes: bool = True
    unit: str | None = None
    length_tag: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    limits: tuple[Limit, ...] = ()
    secret: bool = False

    @property
    def label(self) -> str:
        """The field as people name it: `Price (44)`."""
        return f"{self.name} ({self.tag})"


@attrs.frozen(eq=False, repr=False)
class PresenceRule(Value):
    """A presence that differs from the member's own where `scope` applies (last match wins)."""

    scope: Scope
    presence: Presence


@attrs.frozen(eq=False, repr=False)
class FieldMember(Value):
    """A field in the body of a message, a group entry, the header or the trailer.

    Attributes:
        required_when: Required when any of these holds.
        only_when: Forbidden unless any of these holds, if there are any.
        limits: Limits that take the place of the field's own ones where they apply.
        legacy_tags: Older tags that are still read into this attribute when its own tag is absent; never
            sent.
    """

    field: FieldLayout
    presence: Presence = Presence.OPTIONAL
    rules: tuple[PresenceRule, ...] = ()
    required_when: tuple[Condition, ...] = ()
    forbidden_when: tuple[Condition, ...] = ()
    only_when: tuple[Condition, ...] = ()
    limits: tuple[Limit, ...] = ()
    legacy_tags: tuple[int, ...] = ()

    @property
    def tag(self) -> int:
        return self.field.tag

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def attribute(self) -> str:
        return self.field.attribute


@attrs.frozen(eq=False, repr=False)
class GroupMember(Value):
    """A repeating group in a body or in another group's entry.

    Attributes:
        attribute: The list's Python name: the counter's name without the No (`misc_fees`).
        delimiters: Tags that may open an entry, the usual one first.
        limits: How many entries there may be, beside `minimum` and `maximum`; in place of the counter's own
            limits where they apply.
        minimum: The fewest entries where the group stands. An empty list means that the group is absent,
            unless it is required and this is 0: then a count of 0 is sent.
    """

    counter: FieldLayout
    attribute: str
    entry: BlockLayout
    delimiters: tuple[int, ...]
    presence: Presence = Presence.OPTIONAL
    rules: tuple[PresenceRule, ...] = ()
    required_when: tuple[Condition, ...] = ()
    forbidden_when: tuple[Condition, ...] = ()
    only_when: tuple[Condition, ...] = ()
    limits: tuple[Limit, ...] = ()
    minimum: int = 0
    maximum: int | None = None

    @property
    def tag(self) -> int:
        return self.counter.tag

    @property
    def name(self) -> str:
        return self.counter.name


Member = FieldMember | GroupMember


@attrs.frozen(eq=False, repr=False)
class OneOf(Value):
    """Exactly one (or, with `optional`, at most one) of these fields must be present.

    Attributes:
        at_least: With True, one or more of them.
    """

    names: tuple[str, ...]
    scope: Scope = Scope()
    optional: bool = False
    at_least: bool = False


@attrs.frozen(eq=False, repr=False)
class BlockLayout(Value):
    """An ordered set of members with the class that holds them: a message body, a group
    entry, the header or the trailer."""

    name: str
    _cls: type[Any] | str
    """The class, or its dotted name: then it is imported when it is first asked for."""
    members: tuple[Member, ...]
    _encode: Callable[..., str] | str
    """The encoder, or its dotted name."""
    one_of: tuple[OneOf, ...] = ()
    by_tag: Mapping[int, Member] = attrs.field(init=False, repr=False, eq=False)

    @cached_property
    def cls(self) -> type[Any]:
        """The class that holds the members."""
        found: type[Any] = imported(self._cls) if isinstance(self._cls, str) else self._cls
        return found

    @cached_property
    def encode(self) -> Callable[..., str]:
        """The encoder, generated beside the class: from an instance, whether its unknown fields are
        `checked`, and a text, to this text with its members behind it as `tag=value SOH`.

        It raises AttributeError, TypeError or ValueError for a value that has no FIX form, and does not say
        for which; and, unless `checked`, for unknown fields, of the instance or an entry, because a reader
        might take them for others. Strings are looked at for SOH alone: the codec looks for NUL, and for
        characters beyond latin-1, in the text of the whole message.
        """
        found: Callable[..., str] = imported(self._encode) if isinstance(self._encode, str) else self._encode
        return found

    @by_tag.default
    def _index(self) -> Mapping[int, Member]:
        index: dict[int, Member] = {}
        for member in self.members:
            index[member.tag] = member
            if isinstance(member, FieldMember):
                # A member that has the tag as its own goes before one that had it once.
                for tag in member.legacy_tags:
                    index.setdefault(tag, member)
        return MappingProxyType(index)


@attrs.frozen(eq=False, repr=False)
class Answers(Value):
    """A way in which a message answers a request: which ones, and how it names the one that it answers.

    Of several requests that it may mean, the oldest is meant.

    Attributes:
        requests: MsgTypes (35) of the requests.
        attribute: The attribute that names the request; None for an answer that names none, and so means one
            that has no name either.
        names: The attribute of the request that it repeats; `msg_seq_num` is of the header.
        when: What the message must say for this to hold.
        unless: What it says where it is no answer, such as that the request is on its way.
        open_when: What it says where it leaves the outcome open, because the peer does not know it either.
        makes: The MsgType of requests each of which makes something of its own (an order), and the attribute
            by which the message says which (OrderID): what an earlier request has made says nothing of a
            later one.
    """

    requests: frozenset[str]
    attribute: str | None = None
    names: str = ""
    when: Condition | None = None
    unless: Condition | None = None
    open_when: Condition | None = None
    makes: tuple[str, str] | None = None


@attrs.frozen(eq=False, repr=False)
class Tracks(Value):
    """How a message says which order rests with the venue.

    Attributes:
        attribute: The attribute with the venue's id of the order.
        sessions: The session types on which it is about orders of this session.
        done: When the order rests no more.
    """

    attribute: str
    sessions: tuple[str, ...]
    resting: Condition
    done: Condition


@attrs.frozen(eq=False, repr=False)
class MessageLayout(Value):
    """One message type of the dialect.

    Attributes:
        admin: Session-level (True) or application-level (False).
        flows: Where the message may be sent. Empty for a dialect that does not restrict it.
        request: For a message that is answered: the attributes that its answers may name, `msg_seq_num` for
            the header's. The first that has a value is what people know the request by. Only the client's
            messages are requests.
        answers: The ways in which the message answers requests, at most one of each type. The first that
            finds an open one holds.
    """

    msg_type: str
    name: str
    body: BlockLayout
    admin: bool
    flows: tuple[Scope, ...] = ()
    request: tuple[str, ...] = ()
    answers: tuple[Answers, ...] = ()
    tracks: Tracks | None = None

    @property
    def cls(self) -> type[Any]:
        return self.body.cls

    def allowed(self, product: str, session: str, sender: Sender) -> bool:
        """Say whether this side may send the message on this product and session type."""
        return not self.flows or any(f.matches(product, session, sender) for f in self.flows)


@attrs.frozen(eq=False, repr=False)
class SessionType(Value):
    """The rules of one session type: data that the session machine obeys.

    Attributes:
        name: What people call it and what TargetCompID (56) carries, such as KalshiNR.
        resend: Whether ResendRequest and SequenceReset work: a gap is repaired, not fatal.
        reset_required: Whether every Logon must carry ResetSeqNumFlag=Y.
        products: The products that have it; empty for all.
        port: The venue's port for it.
        host_role: Which host of an environment serves it: `orders` or `market_data`.
        purpose: What it is for, in a sentence.
        comp_ids: SenderCompID values the venue may use on it.
        max_message_size: The largest BodyLength (9) that the venue's messages need, in bytes; None for no
            more than usual.
        requests_per_second: How many requests the venue takes in a second; None where nothing is known.
        symbols_per_request: How many different symbols the venue takes in one request; None where it says
            nothing.
        subscriptions: How many subscriptions the venue keeps for a session; None where it says nothing.
        past_reports_hours: How many hours back the venue sends past execution reports; None where it sends
            none.
        retention_hours: How many hours the venue keeps messages for resend unless the Logon says otherwise;
            None where it keeps none.
    """

    name: str
    resend: bool
    reset_required: bool
    products: tuple[str, ...] = ()
    port: int | None = None
    host_role: str | None = None
    purpose: str = ""
    comp_ids: tuple[str, ...] = ()
    max_message_size: int | None = None
    requests_per_second: int | None = None
    symbols_per_request: int | None = None
    subscriptions: int | None = None
    past_reports_hours: int | None = None
    retention_hours: int | None = None


@attrs.frozen(eq=False, repr=False)
class TextMeaning(Value):
    """What a known value of Text (58) says in a message.

    Attributes:
        meaning: For people.
        attribute: The attribute of the coded field that goes with it, such as `ord_rej_reason`; None where
            none is known to.
        code: What that field says then, such as OrdRejReason.EXCHANGE_CLOSED.
    """

    meaning: str
    attribute: str | None = None
    code: Any = None


@attrs.frozen(eq=False, repr=False)
class Refusal(Value):
    """A reason for which the venue refuses a Logon, as the Text (58) of its Logout tells.

    Attributes:
        pattern: A regular expression: found in a Text, in capitals or not, it says that this is the reason.
        cure: What makes a later Logon succeed: that somebody acts, or time; unclear if it may be either.
    """

    name: str
    pattern: str
    cure: Literal["action", "time", "unclear"]


@attrs.frozen(eq=False, repr=False)
class Dialect(Value):
    """Everything the codec and the session need to know of one dialect.

    Attributes:
        name: What people call it.
        begin_string: BeginString (8) of its messages.
        appl_ver_id: DefaultApplVerID (1137) of its Logon.
        header: The standard header.
        trailer: The standard trailer.
        messages: By MsgType (35).
        fields: Every tag the dialect knows.
        session_types: By name, such as KalshiNR.
        validated: What of the venue's documents the dialect was last compared with: through which entry of
            its changelog, and of which date its pages are.
        standard_data: Tags of the standard's data fields by the tags of their lengths: a peer may know those
            that the dialect does not.
        logon_fields: What a Logon carries beside what the session writes; None for a dialect without Logon.
        logon_names: FIX names of the fields of the client's Logon that rules ask for.
    """

    name: str
    begin_string: str
    appl_ver_id: str
    header: BlockLayout
    trailer: BlockLayout
    messages: Mapping[str, MessageLayout]
    fields: Mapping[int, FieldLayout]
    session_types: Mapping[str, SessionType]
    validated: str = ""
    standard_data: Mapping[int, int] = MappingProxyType({})
    logon_fields: BlockLayout | None = None
    logon_names: frozenset[str] = attrs.field(init=False, repr=False, eq=False)

    @logon_names.default
    def _find_logon_names(self) -> frozenset[str]:
        blocks = [self.header, self.trailer, *(layout.body for layout in self.messages.values())]
        scopes = (condition.scope for block in blocks for condition in _conditions(block))
        return frozenset(name for scope in scopes for name, _ in scope.logon)

    def layout_of(self, cls: type[Any]) -> MessageLayout | None:
        """Return the layout of a message's class; None if the class is none of this dialect's."""
        layout = self.messages.get(getattr(cls, "MSG_TYPE", ""))
        return layout if layout is not None and layout.cls is cls else None


def _conditions(block: BlockLayout) -> Iterator[Condition]:
    for member in block.members:
        yield from (*member.required_when, *member.forbidden_when, *member.only_when)
        if isinstance(member, GroupMember):
            yield from _conditions(member.entry)
        else:
            yield from (limit.when for limit in (*member.field.limits, *member.limits))
