"""The types of the generated tables that describe a dialect at run time.

Generated code creates the instances; the codec, the validation and the session use them. The types do not
depend on the venue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from kalshi_fix_sansio.classes.on_demand import import_object
from kalshi_fix_sansio.classes.value import Value

if TYPE_CHECKING:
    from kalshi_fix_sansio.dialect.history import History


class Kind(Enum):
    """Lexical form of a value on the wire, and its Python type.

    FIX 5.0 SP2 volume 1, "Data types". Several FIX types share a lexical form: PRICE, QTY, AMT, FLOAT and
    PERCENTAGE are all DECIMAL.
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
    """Whether a field must, may or must not be present in a message in a given context."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    FORBIDDEN = "forbidden"


class Sender(Enum):
    """The side that sends: the client (the initiator) or the venue (the acceptor)."""

    CLIENT = "client"
    VENUE = "venue"


Terms = tuple[tuple[str, tuple[str, ...] | None], ...]
"""Pairs of a field's FIX name and the wire values that satisfy the term. An empty string among the values
means that the field may also be absent. An empty tuple means that the field must be present with any value;
None means that it must be absent.
"""
LogonFacts = tuple[tuple[str, str], ...]
"""FIX names and wire values of the fields of the client's Logon on which rules depend."""


@attrs.frozen
class MessageContext:
    """The context in which a message is validated."""

    product: str
    """The product; empty for a dialect that has only one."""
    session: str
    """The session type's name, such as KalshiNR."""
    sender: Sender
    msg_type: str = ""
    """MsgType (35) of the message, for rules about its header; empty if these rules are not needed."""
    logon: LogonFacts | None = None
    """Fields of the client's Logon. None if they are not known; rules that depend on them are then not
    checked.
    """
    allow_unknown_codes: bool = True
    """Whether undefined code values are valid in fields to which the venue may add values."""


@attrs.frozen(eq=False, repr=False)
class Scope(Value):
    """The context in which a rule applies. An empty tuple sets no restriction.

    Attributes:
        sessions: Names of session types.
        sender: The side that sends; None for both sides.
        messages: MsgTypes (35).
        logon: Terms that the client's Logon must satisfy.
    """

    products: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    sender: Sender | None = None
    messages: tuple[str, ...] = ()
    logon: Terms = ()

    def matches(self, product: str, session: str, sender: Sender) -> bool:
        """Return whether the scope includes messages that this side sends on this product and session
        type.
        """
        return (
            (not self.products or product in self.products)
            and (not self.sessions or session in self.sessions)
            and (self.sender is None or self.sender is sender)
        )

    def covers(self, context: MessageContext) -> bool | None:
        """Return whether the scope includes a context; None if this depends on a Logon that is unknown."""
        if not self.matches(context.product, context.session, context.sender):
            return False
        if self.messages and context.msg_type not in self.messages:
            return False
        if not self.logon:
            return True
        return None if context.logon is None else _satisfies(dict(context.logon), self.logon)


def _satisfies(facts: Mapping[str, str], terms: Terms) -> bool:
    return all(_satisfies_term(facts, name, values) for name, values in terms)


def _satisfies_term(facts: Mapping[str, str], name: str, values: tuple[str, ...] | None) -> bool:
    if values is None:
        return name not in facts
    if not values:
        return name in facts
    # `facts` contains only fields that are set; an absent field is compared as the empty value.
    return facts.get(name, "") in values


@attrs.frozen(eq=False, repr=False)
class Condition(Value):
    """A condition on the context of a message (`scope`) and on fields of the same block (`terms`). All parts
    must hold.
    """

    terms: Terms = ()
    scope: Scope = Scope()


@attrs.frozen(eq=False, repr=False)
class Limit(Value):
    """A limit on the values of a field or, for a counter, on the number of entries. It applies if its
    condition holds.

    Attributes:
        minimum: The smallest allowed value, in `unit`; `maximum` is the largest allowed value.
        step: Values must be multiples of this number.
        max_length: Maximum number of characters of the wire value.
        pattern: A regular expression that the whole wire value must match.
        values: The allowed wire values; empty for no restriction.
        unit: The unit of the values where the limit applies, for display.
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
"""The unit of values that depend on the Logon: dollars if it contained UseDollars=Y, otherwise cents."""


@attrs.frozen(eq=False, repr=False)
class FieldLayout(Value):
    """One field of the dialect: its tag, names, lexical kind and limits.

    Attributes:
        name: The FIX name, such as ClOrdID.
        attribute: The Python name, such as cl_ord_id.
        fix_type: The FIX datatype in the spec, such as PRICE.
        codes: The enum class of the code values; None if the field has none. Values that it does not define
            are kept as plain values.
        open_codes: Whether strict decoding accepts code values that the enum does not define.
        unit: Unit for display: `dollars`, `cents`, `contracts`, `seconds`, `hours`, or `BY_SESSION`.
        length_tag: For a data field, the tag of the field that contains its length.
        minimum: The smallest allowed value, in `unit`; None for no limit. `maximum` is the largest allowed
            value.
        max_length: Maximum number of characters of the wire value.
        pattern: A regular expression that the whole value must match. It is checked before sending and by
            strict decoding.
        limits: Limits that depend on the context. If several apply, the last one is used.
        secret: Whether the value must never be displayed (signatures, passwords).
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
        """The name and tag for display: `Price (44)`."""
        return f"{self.name} ({self.tag})"


@attrs.frozen(eq=False, repr=False)
class PresenceRule(Value):
    """The presence of a member in a `scope`, instead of the member's own. If several rules match, the last
    one is used.
    """

    scope: Scope
    presence: Presence


@attrs.frozen(eq=False, repr=False)
class FieldMember(Value):
    """A field in the body of a message, a group entry, the header or the trailer.

    Attributes:
        required_when: The field is required if any of these conditions holds.
        only_when: If there are any of these conditions, the field is allowed only if one of them holds.
        limits: Limits that replace the field's limits where they apply.
        legacy_tags: Obsolete tags. If the current tag is absent, they are decoded to this attribute. They are
            never sent.
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
        attribute: The Python name of the list: the counter's name without No, such as `misc_fees`.
        delimiters: Tags that may open an entry, the usual tag first.
        limits: Limits on the number of entries, in addition to `minimum` and `maximum`. A limit that applies
            replaces the limits of the counter field.
        minimum: The smallest number of entries if the group is present. An empty list normally means that the
            group is absent. But if the group is required and the minimum is 0, a count of 0 is sent.
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
    """Exactly one of these fields must be present, unless `optional` or `at_least` is set.

    Attributes:
        optional: At most one of the fields may be present.
        at_least: One or more of the fields must be present.
    """

    names: tuple[str, ...]
    scope: Scope = Scope()
    optional: bool = False
    at_least: bool = False


@attrs.frozen(eq=False, repr=False)
class BlockLayout(Value):
    """The members, in order, and the class of a block: a message body, a group entry, the header or the
    trailer.
    """

    name: str
    _cls: type[Any] | str
    """The class, or its dotted name if it is imported on first use."""
    members: tuple[Member, ...]
    _encode: Callable[..., str] | str
    """The encoder, or its dotted name."""
    one_of: tuple[OneOf, ...] = ()
    past_tags: frozenset[int] = frozenset()
    """For an earlier state of the dialect: tags that the block had then, but for which the current class has
    no attribute. They are kept in `unknown`, and are not a problem.
    """
    by_tag: Mapping[int, Member] = attrs.field(init=False, repr=False, eq=False)

    @cached_property
    def cls(self) -> type[Any]:
        """The class whose attributes are the members."""
        loaded: type[Any] = import_object(self._cls) if isinstance(self._cls, str) else self._cls
        return loaded

    @cached_property
    def encode(self) -> Callable[..., str]:
        """The generated encoder, which appends the members of an instance to a string, as `tag=value SOH`.

        Its arguments are the instance, `checked` (whether its unknown fields have been checked), and the
        string. It raises AttributeError, TypeError or ValueError for a value that has no FIX representation;
        the error does not contain the name of the field. If `checked` is False, unknown fields of the
        instance or an entry are an error too, because a receiver might interpret them differently. Strings
        are checked only for SOH; the codec checks the text of the whole message for NUL and for characters
        beyond latin-1.
        """
        encoder: Callable[..., str] = (
            import_object(self._encode) if isinstance(self._encode, str) else self._encode
        )
        return encoder

    @by_tag.default
    def _index(self) -> Mapping[int, Member]:
        index: dict[int, Member] = {}
        for member in self.members:
            index[member.tag] = member
            if isinstance(member, FieldMember):
                # If a tag is current for one member and obsolete for another, the member for which it is
                # current has precedence.
                for tag in member.legacy_tags:
                    index.setdefault(tag, member)
        return MappingProxyType(index)


@attrs.frozen(eq=False, repr=False)
class AnswerRule(Value):
    """A rule by which a message answers a request, and by which it identifies the request.

    A message that matches several open requests answers the oldest.

    Attributes:
        requests: MsgTypes (35) of the requests.
        attribute: The attribute of the answer that identifies the request. None if the answer contains no
            identifier; it then answers a request that has none either.
        repeats: The attribute of the request that has the same value as `attribute`; `msg_seq_num` means
            MsgSeqNum in the header.
        when: Condition under which the message is an answer of this kind; None if it always is.
        unless: Condition under which the message is not an answer of this kind, for example because it
            reports a pending status.
        open_when: Condition under which the answer reports that the peer does not know the outcome.
        creates: MsgType of requests that create an object, such as an order, and the attribute of the answer
            that identifies the object, such as OrderID. A report about an object that an earlier request
            created does not answer a later request.
    """

    requests: frozenset[str]
    attribute: str | None = None
    repeats: str = ""
    when: Condition | None = None
    unless: Condition | None = None
    open_when: Condition | None = None
    creates: tuple[str, str] | None = None


@attrs.frozen(eq=False, repr=False)
class RestingOrderRule(Value):
    """How a message reports whether an order is resting at the venue.

    Attributes:
        attribute: The attribute that contains the venue's id of the order.
        sessions: Names of the session types on which the message reports the session's own orders.
        resting: Condition under which the order is resting.
        done: Condition under which the order is no longer resting.
    """

    attribute: str
    sessions: tuple[str, ...]
    resting: Condition
    done: Condition


@attrs.frozen(eq=False, repr=False)
class MessageLayout(Value):
    """One message type of the dialect.

    Attributes:
        admin: Whether this is a session message rather than an application message.
        flows: Scopes in which the message may be sent; empty for no restriction.
        request: For a request, the attributes by which answers may identify it; `msg_seq_num` means MsgSeqNum
            in the header. The value of the first attribute that is set is shown to users as the id. Only
            messages from the client are requests; empty for all others.
        answers: The rules by which the message answers requests, in order of preference. It answers at most
            one request of each type.
        tracks: The rule by which the message reports resting orders; None if it reports none.
    """

    msg_type: str
    name: str
    body: BlockLayout
    admin: bool
    flows: tuple[Scope, ...] = ()
    request: tuple[str, ...] = ()
    answers: tuple[AnswerRule, ...] = ()
    tracks: RestingOrderRule | None = None

    @property
    def cls(self) -> type[Any]:
        return self.body.cls

    def allowed(self, product: str, session: str, sender: Sender) -> bool:
        """Return whether this side may send the message on this product and session type."""
        return not self.flows or any(f.matches(product, session, sender) for f in self.flows)


@attrs.frozen(eq=False, repr=False)
class SessionType(Value):
    """The rules of one session type.

    Attributes:
        name: Name, such as KalshiNR. A client also uses it as TargetCompID (56).
        resend: Whether ResendRequest and SequenceReset are available, so that a gap can be filled.
        reset_required: Whether every Logon must contain ResetSeqNumFlag=Y.
        products: The products that have this session type; empty for all.
        port: The venue's port.
        host_role: Which of an environment's hosts serves this session type: `orders` or `market_data`.
        service: The service that it provides, such as `orders`, `drop_copy` or `market_data`; None if the
            spec does not state it.
        purpose: Description of the purpose, in one sentence.
        comp_ids: SenderCompIDs that the venue may use on this session type.
        max_message_size: The largest BodyLength (9) that the venue's messages need, in bytes; None for the
            default.
        requests_per_second: Maximum number of requests per second; None if unknown.
        symbols_per_request: Maximum number of different symbols in one request; None if undocumented.
        subscriptions: Maximum number of subscriptions in a session; None if undocumented.
        past_reports_hours: Maximum age in hours of the past execution reports that the venue sends; None if
            it sends none.
        retention_hours: Number of hours for which the venue keeps messages for resend. The Logon may set
            another value. None if the venue keeps none.
    """

    name: str
    resend: bool
    reset_required: bool
    products: tuple[str, ...] = ()
    port: int | None = None
    host_role: str | None = None
    service: str | None = None
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
    """The meaning of a known value of Text (58) in a message.

    Attributes:
        meaning: The meaning, for display.
        attribute: The attribute of the code field that the venue sends with the text, such as
            `ord_rej_reason`; None if none is known.
        code: The value of the code field, such as OrdRejReason.EXCHANGE_CLOSED.
    """

    meaning: str
    attribute: str | None = None
    code: Any = None


@attrs.frozen(eq=False, repr=False)
class Refusal(Value):
    """A reason why the venue refuses a Logon, recognized by the Text (58) of its Logout.

    Attributes:
        pattern: A regular expression that is searched for in the Text, ignoring case.
        resolution: The requirement for a later Logon to succeed: an action by the user (`action`), or only a
            longer wait (`time`). `unclear` if it may be either.
    """

    name: str
    pattern: str
    resolution: Literal["action", "time", "unclear"]


@attrs.frozen(eq=False, repr=False)
class Dialect(Value):
    """The complete description of one dialect, used by the codec and the session.

    Attributes:
        name: Name of the dialect, for display.
        begin_string: BeginString (8) of the messages.
        appl_ver_id: DefaultApplVerID (1137) of the Logon.
        header: The standard header.
        trailer: The standard trailer.
        messages: The layouts of the messages, by MsgType (35).
        fields: All fields of the dialect, by tag.
        session_types: The session types by name, such as KalshiNR.
        validated: The version of the venue's documents with which the dialect was last compared: the last
            entry of their changelog, and the date of their pages.
        standard_data: Tags of the data fields in the FIX standard, by the tags of their lengths. They include
            fields that the dialect does not define, because a peer may know them.
        logon_fields: The layout of the Logon fields that the user sets (`LogonFields`); None for a dialect
            without Logon.
        since: The first day on which the dialect is certainly as described here; None if unknown.
        until: The first day on which the dialect may be different; None for the current dialect.
        logon_names: FIX names of the fields of the client's Logon on which rules depend.
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
    since: date | None = None
    until: date | None = None
    _history: str | None = None
    """Dotted name of the `History` that leads to this dialect, imported on first use."""
    _latest: Dialect | None = attrs.field(default=None, eq=False, repr=False)
    """The current dialect, if this is an earlier state; None otherwise."""
    logon_names: frozenset[str] = attrs.field(init=False, repr=False, eq=False)

    @logon_names.default
    def _find_logon_names(self) -> frozenset[str]:
        blocks = [self.header, self.trailer, *(layout.body for layout in self.messages.values())]
        scopes = (condition.scope for block in blocks for condition in _conditions(block))
        return frozenset(name for scope in scopes for name, _ in scope.logon)

    def session_type_for(self, service: str, *, resend: bool | None = None) -> SessionType:
        """Return the first session type of a service, such as `orders`. If `resend` is not None, return only
        a session type with resend (True) or without it (False).

        Raises:
            KeyError: the dialect has no such session type.
        """
        for session_type in self.session_types.values():
            if session_type.service == service and resend in (None, session_type.resend):
                return session_type
        raise KeyError(service)

    def layout_of(self, cls: type[Any]) -> MessageLayout | None:
        """Return the layout of a message class; None if the class does not belong to this dialect."""
        layout = self.messages.get(getattr(cls, "MSG_TYPE", ""))
        return layout if layout is not None and layout.cls is cls else None

    def as_of(self, day: date) -> Dialect:
        """Return the dialect as it was on a day, in UTC. For days since the last change, this is the current
        dialect.

        Message classes, code values and limits of values are the current ones. The presence of fields is as
        it was on that day: fields added later are forbidden, and fields that were required then are required.
        A field that changed in the same month, on an unknown day, is not required. For days before the first
        known state, that state is returned. `unknown_as_of` lists the facts that are not known. Each state is
        computed once.
        """
        latest = self._latest or self
        history = latest._load_history()
        return latest if history is None else history.dialect_on(day, latest)

    def unknown_as_of(self, day: date) -> tuple[str, ...]:
        """Return sentences about the facts of the dialect that are not known for a day, because of later
        changes that the spec describes only in words, and of changes on an unknown day of the same month.
        """
        history = (self._latest or self)._load_history()
        return () if history is None else tuple(history.unknown_on(day))

    def _load_history(self) -> History | None:
        history: History | None = None if self._history is None else import_object(self._history)
        return history


def _conditions(block: BlockLayout) -> Iterator[Condition]:
    for member in block.members:
        yield from (*member.required_when, *member.forbidden_when, *member.only_when)
        if isinstance(member, GroupMember):
            yield from _conditions(member.entry)
        else:
            yield from (limit.when for limit in (*member.field.limits, *member.limits))
