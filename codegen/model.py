"""The resolved model: a dialect with every reference followed and every default filled in.

`resolve` makes it from the YAML; the templates, the dictionary writer and the reference pages read it and
decide nothing themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import attrs

from kalshi_fix_adapters.documents.mistakes import Location

INTEGER_KINDS = frozenset({"INT", "LENGTH", "SEQNUM", "NUMINGROUP"})
"""Lexical kinds of whole numbers."""
CODED_KINDS = frozenset({"STRING", "CHAR", "INT"})
"""Lexical kinds that may have codes."""
# The session itself is about this message, whatever the dialect; so its type is no fact of a spec.
LOGON = "A"
"""MsgType (35) of the Logon."""


@attrs.frozen
class Change:
    """One step in the life of an element."""

    kind: str
    """`added`, `updated`, `deprecated` or `removed`."""
    version: str | None
    """The venue's changelog version, such as 1.0.26; None where the venue gave none."""
    date: str | None
    """ISO date."""
    note: str = ""


@attrs.frozen
class Pedigree:
    """When an element came, changed, was deprecated and left."""

    changes: tuple[Change, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether the venue has it no more; it is kept so that what was written before can be read."""
        return any(change.kind == "removed" for change in self.changes)


@attrs.frozen(kw_only=True)
class Element:
    """The spec's facts about an element that has a source."""

    source: str
    """Names of the manifest's sources."""
    location: Location
    pedigree: Pedigree = Pedigree()
    why: str = ""
    """Why it differs from its source, or which of several sources it follows; empty if none does."""


@attrs.frozen
class Datatype:
    """A FIX datatype."""

    name: str
    """Such as PRICE."""
    kind: str
    """The member name of `layout.Kind`, such as DECIMAL."""
    python: str
    """The annotation, such as Decimal."""
    quickfix: str
    """The type name in a QuickFIX dictionary."""
    doc: str


@attrs.frozen
class Code(Element):
    """One value of a codeset."""

    name: str
    """FIX-style name, such as PartiallyFilled."""
    constant: str
    """Python name, such as PARTIALLY_FILLED."""
    value: str
    doc: str


@attrs.frozen
class CodeSet:
    """The known values of one or more fields."""

    name: str
    """The enum's class name, such as Side."""
    integer: bool
    """IntEnum when true, StrEnum otherwise."""
    open: bool
    codes: tuple[Code, ...]
    doc: str
    location: Location


@attrs.frozen
class Field(Element):
    """One tag."""

    tag: int
    name: str
    attribute: str
    datatype: Datatype
    codeset: CodeSet | None
    unit: str | None
    doc: str
    length_field: str | None
    """FIX name of the field that carries the length of this data field."""
    minimum: int | None
    maximum: int | None
    max_length: int | None
    pattern: str | None
    secret: bool
    limits: tuple[Limit, ...] = ()
    """What values may be, and when; of those that apply the last one holds."""
    length_tag: int | None = None
    """The tag of `length_field`."""

    @property
    def codes(self) -> tuple[Code, ...]:
        """Its known values; empty for a field without a codeset."""
        return self.codeset.codes if self.codeset is not None else ()

    def code(self, written: str) -> Code | None:
        """The code with this name or this value; None where there is none."""
        return next((code for code in self.codes if written in (code.name, code.value)), None)


# A field that may be absent or have a value has the empty text among its values, so that `absent` alone
# needs a form of its own.
Terms = tuple[tuple[str, tuple[str, ...] | None], ...]
"""Names of fields, each with what it must be: one of these wire values, of which the empty text stands for
absent; an empty tuple for any value; None for absent."""


@attrs.frozen
class Scope:
    """Where a rule applies; empty means anywhere. `sender` is `client`, `venue` or None."""

    products: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    sender: str | None = None
    messages: tuple[tuple[str, str], ...] = ()
    """Names and MsgTypes; in conditions alone, as what follows."""
    logon: Terms = ()
    """What the client must have logged on with."""


@attrs.frozen
class PresenceRule:
    """A presence that holds where `scope` applies; the last that matches wins."""

    scope: Scope
    presence: str


@attrs.frozen
class Condition:
    """Where a message is sent, and what stands beside a member; all of it must hold."""

    terms: Terms = ()
    scope: Scope = Scope()


@attrs.frozen
class Limit:
    """What values may be when a condition holds. Numbers are text."""

    when: Condition
    minimum: str | None
    maximum: str | None
    step: str | None
    max_length: int | None
    pattern: str | None
    values: tuple[str, ...]
    unit: str | None


@attrs.frozen
class OneOf:
    """`mode` is `exactly_one`, `at_most_one` or `at_least_one` of the named members."""

    names: tuple[str, ...]
    mode: str
    scope: Scope


@attrs.frozen
class Member(Element):
    """A field or a group in a block."""

    field: Field
    """The field; for a group, its counter (NumInGroup)."""
    group: Group | None
    attribute: str
    """The Python name: the field's, or the counter's without the No for a group."""
    presence: str
    """`required`, `optional`, `forbidden` or `constant`, where no rule says otherwise."""
    constant: str | None
    """The value where presence is constant."""
    default: str | None
    """What the venue assumes when the field is absent (for docs)."""
    rules: tuple[PresenceRule, ...]
    required_when: tuple[Condition, ...]
    forbidden_when: tuple[Condition, ...]
    only_when: tuple[Condition, ...]
    limits: tuple[Limit, ...]
    """What takes the place of the field's own limits here."""
    legacy_fields: tuple[Field, ...]
    """Older fields still read into this attribute; never sent."""
    doc: str
    """What it means here: the member's own text, or the field's."""


@attrs.frozen
class Group(Element):
    """A repeating group; each nesting place may use the same group."""

    name: str
    """FIX component name, such as MiscFeesGrp."""
    entry_class: str
    """Python class of an entry, such as MiscFee."""
    delimiters: tuple[Field, ...]
    """Fields that may open an entry, the usual one first."""
    members: tuple[Member, ...]
    one_of: tuple[OneOf, ...]
    minimum: int
    """The fewest entries where the group stands. An empty list means that the group is absent, unless it is
    required and this is 0: then a count of 0 is sent."""
    maximum: int | None
    doc: str


@attrs.frozen
class Answers:
    """A way in which a message answers requests: which ones, and how it names the one it answers."""

    msg_types: tuple[str, ...]
    field: Field | None
    """The field by which it names the request; None for an answer that names none."""
    names: str
    """The attribute of the request that it repeats."""
    when: Condition | None
    unless: Condition | None
    open_when: Condition | None
    """When it leaves the outcome open."""
    makes: tuple[str, Field] | None = None
    """The MsgType of requests each of which makes something of its own, and the field that says which."""


@attrs.frozen
class Tracks:
    """How a message says which order rests with the venue."""

    field: Field
    sessions: tuple[str, ...]
    resting: Condition
    done: Condition


@attrs.frozen
class Constructor:
    """A way to make a message: a class method that fills in some fields and takes the others."""

    name: str
    """Such as subscribe."""
    doc: str
    sets: tuple[tuple[Member, str], ...]
    """Fields with the wire values that it gives them."""
    takes: Member | None
    """What is given by position: a field, or a group whose entries have one field, of which several values
    are taken. Of a group with one entry at most, the fields of the entry become arguments."""
    requires: tuple[str, ...]
    """Attributes that are required here, though not everywhere."""
    without: tuple[str, ...]
    """Attributes that it does not take."""


@attrs.frozen
class Message(Element):
    """One message type."""

    name: str
    msg_type: str
    admin: bool
    family: str
    """The YAML file's stem; also the generated module's name, such as order_entry."""
    doc: str
    members: tuple[Member, ...]
    one_of: tuple[OneOf, ...]
    flows: tuple[Scope, ...]
    request: tuple[str, ...] = ()
    """For a message that is answered: the attributes that its answers name."""
    answers: tuple[Answers, ...] = ()
    tracks: Tracks | None = None
    constructors: tuple[Constructor, ...] = ()


@attrs.frozen
class KnownText(Element):
    """A value of Text (58) that a message is known to carry; others are to be expected."""

    message: Message
    value: str
    constant: str
    """Python name, such as POST_ONLY_CROSS."""
    field: Field | None
    """The coded field that says the same in short, such as OrdRejReason; None where none is known to."""
    code: Code | None
    """Its value then."""
    doc: str


@attrs.frozen
class Refusal(Element):
    """A reason for which the venue refuses a Logon, as its Text (58) tells."""

    name: str
    pattern: str
    """Found in a Text, in capitals or not, it says that this is the reason."""
    cure: str
    """What makes a later Logon succeed: `action`, `time` or `unclear`."""
    doc: str


@attrs.frozen
class VenueLimit(Element):
    """Something that the venue limits beside the values of fields."""

    name: str
    values: tuple[tuple[str, str], ...]
    """Numbers as written, by what each is for; a number for everything has the empty text as its key."""
    unit: str
    doc: str

    @property
    def constant(self) -> str:
        """Its Python name, such as ORDER_GROUP_WINDOW."""
        return self.name.upper()


@attrs.frozen
class SessionType(Element):
    """One session type of the venue."""

    name: str
    purpose: str
    resend: bool
    reset_required: bool
    products: tuple[str, ...]
    port: int | None
    host_role: str | None
    comp_ids: tuple[str, ...]
    max_message_size: int | None = None
    """The largest BodyLength that the venue's messages need, in bytes; None for no more than usual."""
    requests_per_second: int | None = None
    """How many requests the venue takes in a second; None where nothing is known."""
    symbols_per_request: int | None = None
    subscriptions: int | None = None
    past_reports_hours: int | None = None
    """How far back the venue sends past reports; None where it sends none."""
    retention_hours: int | None = None
    """How long the venue keeps messages for resend unless it is told otherwise; None where it keeps none."""


@attrs.frozen
class Endpoint:
    """One host: which environment, product and role it serves."""

    environment: str
    product: str
    role: str
    host: str
    source: str


@attrs.frozen
class Product:
    """A product of the venue that shares the dialect."""

    name: str
    doc: str
    env_prefix: str
    """Prefix of the environment variables with the key, such as KALSHI."""


@attrs.frozen
class Dialect:
    """A whole dialect."""

    name: str
    title: str
    begin_string: str
    appl_ver_id: str
    products: tuple[Product, ...]
    datatypes: tuple[Datatype, ...]
    fields: tuple[Field, ...]
    """By tag."""
    codesets: tuple[CodeSet, ...]
    """By name."""
    groups: tuple[Group, ...]
    """Every group once, inner ones before the ones that nest them."""
    header: tuple[Member, ...]
    trailer: tuple[Member, ...]
    messages: tuple[Message, ...]
    """Admin first, then by family in manifest order, then as the files have them."""
    session_types: tuple[SessionType, ...]
    endpoints: tuple[Endpoint, ...]
    environments: tuple[str, ...]
    versions: tuple[tuple[str, str], ...] = ()
    """The venue's changelog, oldest first: version and ISO date."""
    changelog_through: str = ""
    """Date of the newest entry of the venue's changelog that has a disposition; empty where none has one."""
    pages_of: str = ""
    """Date of the newest page that the spec was compared with; empty where none said."""
    texts: tuple[KnownText, ...] = ()
    """Known values of Text (58), message by message."""
    standard_data: tuple[tuple[int, int], ...] = ()
    """Length and data fields of the standard, also of those that the dialect does not define."""
    refusals: tuple[Refusal, ...] = ()
    """Reasons for which a Logon is refused; the first that fits a Text holds."""
    limits: tuple[VenueLimit, ...] = ()

    @property
    def product_names(self) -> tuple[str, ...]:
        """Every product by its name."""
        return tuple(product.name for product in self.products)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Every field by its FIX name."""
        return {field.name: field for field in self.fields}

    def with_lengths(self, members: Iterable[Member]) -> Iterator[tuple[Member, Field | None]]:
        """Each member with the field of its length, where that is not one of the members itself.

        A length always stands in front of its data, so that the spec need not list it.
        """
        listed = tuple(members)
        names = {member.field.name for member in listed}
        for member in listed:
            length = member.field.length_field
            yield member, None if length is None or length in names else self.by_name[length]

    @property
    def logon(self) -> Message | None:
        """The Logon; None where the dialect has none."""
        return next((message for message in self.messages if message.msg_type == LOGON), None)

    @property
    def version(self) -> str:
        """The venue's last changelog version; empty where it counts none."""
        return self.versions[-1][0] if self.versions else ""

    @property
    def validated(self) -> str:
        """What of the venue's documents it was last compared with, for people."""
        parts = (("changelog through", self.changelog_through), ("pages of", self.pages_of))
        return ", ".join(f"{what} {date}" for what, date in parts if date)


def walk(
    members: Iterable[Member], holders: tuple[Member, ...] = ()
) -> Iterator[tuple[Member, tuple[Member, ...]]]:
    """Every member at whatever depth, each with the groups it stands in, the outermost first.

    The members of a group come right behind it.
    """
    for member in members:
        yield member, holders
        if member.group is not None:
            yield from walk(member.group.members, (*holders, member))
