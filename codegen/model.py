"""The resolved model: a dialect with all references resolved and all defaults filled in.

`resolve` creates it from the YAML; the templates, the dictionary writer and the reference pages only read it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import cached_property

import attrs

from kalshi_fix_adapters.documents.mistakes import Location

INTEGER_KINDS = frozenset({"INT", "LENGTH", "SEQNUM", "NUMINGROUP"})
"""Lexical kinds of integers."""
CODED_KINDS = frozenset({"STRING", "CHAR", "INT"})
"""Lexical kinds that may have codes."""
# The session layer requires this message in every dialect, so its type is not part of a spec.
LOGON = "A"
"""MsgType (35) of the Logon."""
APPL_VER_IDS = {
    "FIX.4.0": "2",
    "FIX.4.1": "3",
    "FIX.4.2": "4",
    "FIX.4.3": "5",
    "FIX.4.4": "6",
    "FIX.5.0": "7",
    "FIX.5.0SP1": "8",
    "FIX.5.0SP2": "9",
}
"""Values of ApplVerID (1128) by version of FIX."""


@attrs.frozen
class Change:
    """One change to an element."""

    kind: str
    """`added`, `updated`, `deprecated` or `removed`."""
    version: str | None
    """The venue's changelog version, such as 1.0.26; None if the venue gave none."""
    date: str | None
    """ISO date."""
    note: str = ""

    @property
    def first_day(self) -> dt.date:
        """The first day on which the change may have applied."""
        return self._days()[0]

    @property
    def certain_from(self) -> dt.date:
        """The first day on which the change certainly applied.

        If only the month is known, this is the first day of the next month.
        """
        return self._days()[1]

    def _days(self) -> tuple[dt.date, dt.date]:
        """Return `first_day` and `certain_from`; `date` contains a day, or only a month."""
        text = self.date or ""
        if len(text) > len("2026-10"):
            return dt.date.fromisoformat(text), dt.date.fromisoformat(text)
        first = dt.date.fromisoformat(f"{text}-01")
        return first, dt.date(first.year + first.month // 12, first.month % 12 + 1, 1)


@attrs.frozen
class Pedigree:
    """The versions in which an element was added, changed, deprecated and removed."""

    changes: tuple[Change, ...] = ()

    @property
    def added(self) -> Change | None:
        """The change that added the element; None if it is not known."""
        return next((change for change in self.changes if change.kind == "added"), None)

    @property
    def is_removed(self) -> bool:
        """Whether the venue has removed the element, which is kept to read older data."""
        return any(change.kind == "removed" for change in self.changes)


@attrs.frozen(kw_only=True)
class Element:
    """Facts common to all elements with a source."""

    source: str
    """Names of its sources in the manifest, separated by commas."""
    location: Location
    pedigree: Pedigree = Pedigree()
    why: str = ""
    """Reason for a difference from its source, or for the choice between sources; empty if there is none."""


@attrs.frozen
class PythonKind:
    """Python types and converter of one `kalshi_fix_sansio.dialect.layout.Kind`."""

    accepts: str
    """Annotation of the constructor's argument."""
    converter: str
    """Function of `kalshi_fix_sansio.scalars` that a constructor applies."""
    module: str | None = None
    """Standard library module of its type."""

    @property
    def type(self) -> str:
        """The type of the attribute: the first of the types in `accepts`."""
        return self.accepts.partition(" | ")[0]


# Numbers may be passed as text, never as float.
_PYTHON_KINDS: dict[str, PythonKind] = {
    "STRING": PythonKind("str", "to_str"),
    "CHAR": PythonKind("str", "to_char"),
    "INT": PythonKind("int | str", "to_int"),
    "LENGTH": PythonKind("int | str", "to_seqnum"),
    "SEQNUM": PythonKind("int | str", "to_seqnum"),
    "NUMINGROUP": PythonKind("int | str", "to_seqnum"),
    "DECIMAL": PythonKind("Decimal | int | str", "to_decimal", "decimal"),
    "BOOLEAN": PythonKind("bool", "to_bool"),
    "UTCTIMESTAMP": PythonKind("datetime", "to_datetime", "datetime"),
    "UTCDATEONLY": PythonKind("date", "to_date", "datetime"),
    "UTCTIMEONLY": PythonKind("time", "to_time", "datetime"),
    "DATA": PythonKind("bytes | str", "to_data"),
}


@attrs.frozen
class Datatype:
    """A FIX datatype."""

    name: str
    """Name, such as PRICE."""
    kind: str
    """Member name of `layout.Kind`, such as DECIMAL."""
    quickfix: str
    """Type name in a QuickFIX dictionary."""
    doc: str

    @property
    def python(self) -> PythonKind:
        """Its type and converter in Python."""
        return _PYTHON_KINDS[self.kind]


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
    """Class name of the enum, such as Side."""
    integer: bool
    """Whether the enum is an IntEnum; otherwise it is a StrEnum."""
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
    """FIX name of the field that contains the length of this data field."""
    minimum: int | None
    maximum: int | None
    max_length: int | None
    pattern: str | None
    secret: bool
    limits: tuple[Limit, ...] = ()
    """Restrictions of values, by condition; the last one that applies is used."""
    length_tag: int | None = None
    """Tag of `length_field`."""

    @property
    def codes(self) -> tuple[Code, ...]:
        """Its known values; empty for a field without a codeset."""
        return self.codeset.codes if self.codeset is not None else ()

    @property
    def named_values(self) -> dict[str, str]:
        """Its known values by name, and then by the value itself: suggestions prefer earlier keys."""
        names = {code.name: code.value for code in self.codes}
        return names | {value: value for value in names.values()}

    def code(self, name_or_value: str) -> Code | None:
        """Return the code with this name or value, or None."""
        return next((code for code in self.codes if name_or_value in (code.name, code.value)), None)


Terms = tuple[tuple[str, tuple[str, ...] | None], ...]
"""Pairs of a field's FIX name and the wire values that satisfy the term. An empty string among the values
means that the field may also be absent. An empty tuple means that the field must be present with any value;
None means that it must be absent.
"""


@attrs.frozen
class Scope:
    """Where a rule applies; empty means everywhere. `sender` is `client`, `venue` or None."""

    products: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    sender: str | None = None
    messages: tuple[tuple[str, str], ...] = ()
    """Names and MsgTypes; only in conditions, like `logon`."""
    logon: Terms = ()
    """Conditions on the client's Logon."""


@attrs.frozen
class PresenceRule:
    """The presence within `scope`; the last rule that matches wins."""

    scope: Scope
    presence: str


@attrs.frozen
class Condition:
    """A condition on where a message is sent, and conditions on sibling fields; all of them must hold."""

    terms: Terms = ()
    scope: Scope = Scope()


@attrs.frozen
class Limit:
    """A restriction of values under a condition. Numbers are kept as text."""

    when: Condition = Condition()
    minimum: str | None = None
    maximum: str | None = None
    step: str | None = None
    max_length: int | None = None
    pattern: str | None = None
    values: tuple[str, ...] = ()
    unit: str | None = None


@attrs.frozen
class OneOf:
    """A rule on how many of the named members are present: `exactly_one`, `at_most_one` or `at_least_one`."""

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
    """Python name: that of the field, or for a group that of its counter without `No`."""
    presence: str
    """`required`, `optional`, `forbidden` or `constant`; used if no rule applies."""
    constant: str | None
    """The value if presence is constant."""
    default: str | None
    """Value that the venue assumes if the field is absent (for docs)."""
    rules: tuple[PresenceRule, ...]
    required_when: tuple[Condition, ...]
    forbidden_when: tuple[Condition, ...]
    only_when: tuple[Condition, ...]
    limits: tuple[Limit, ...]
    """Limits that replace the field's own limits here."""
    legacy_fields: tuple[Field, ...]
    """Former fields still read into this attribute; never sent."""
    doc: str
    """Meaning in this block: the member's own text, or the field's."""
    past: tuple[tuple[Change, Member], ...] = ()
    """Changes, each with the member before the change."""

    @property
    def name(self) -> str:
        """Name in the spec: that of the group or of the field."""
        return self.group.name if self.group is not None else self.field.name


def without_requirements_if_removed(member: Member) -> Member:
    """Return a removed member without its requirements; return any other member unchanged."""
    removed = next((each for each in member.pedigree.changes if each.kind == "removed"), None)
    rules = tuple(rule for rule in member.rules if rule.presence != "required")
    if removed is None or (
        member.presence != "required" and rules == member.rules and not member.required_when
    ):
        return member
    past = (*member.past, (removed, attrs.evolve(member, past=())))
    return attrs.evolve(member, presence="optional", rules=rules, required_when=(), past=past)


@attrs.frozen
class Group(Element):
    """A repeating group; several blocks may use the same group."""

    name: str
    """FIX component name, such as MiscFeesGrp."""
    entry_class: str
    """Python class of an entry, such as MiscFee."""
    delimiters: tuple[Field, ...]
    """Fields that may begin an entry, the usual one first."""
    members: tuple[Member, ...]
    one_of: tuple[OneOf, ...]
    minimum: int
    """Minimum number of entries if the group is present. An empty list means that the group is absent. If
    the group is required and this is 0, an empty list is sent as a count of 0.
    """
    maximum: int | None
    doc: str


@attrs.frozen
class AnswerRule:
    """A rule by which a message answers requests: their types, and the field that identifies the request."""

    msg_types: tuple[str, ...]
    field: Field | None
    """Field that identifies the request; None for an answer without one."""
    repeats: str
    """Attribute of the request that the field repeats."""
    when: Condition | None = None
    unless: Condition | None = None
    open_when: Condition | None = None
    """Condition under which the outcome of the request remains open."""
    creates: tuple[str, Field] | None = None
    """MsgType of requests that each create a separate object, and the field that contains the object's id."""


@attrs.frozen
class RestingOrderRule:
    """The rule for determining from a message whether an order is resting at the venue."""

    field: Field
    sessions: tuple[str, ...]
    resting: Condition
    done: Condition


@attrs.frozen
class Constructor:
    """A class method that sets some fields of a message and takes the others as arguments."""

    name: str
    """Name, such as subscribe."""
    doc: str
    sets: tuple[tuple[Member, str], ...]
    """Fields with the wire values that are set."""
    takes: Member | None
    """Positional argument: a field, or a group whose entries have one field, in which case several values can
    be passed. For a group with at most one entry, the fields of the entry become arguments.
    """
    requires: tuple[str, ...]
    """Attributes that are required here, but not in general."""
    without: tuple[str, ...]
    """Attributes that are not arguments."""


@attrs.frozen
class Message(Element):
    """One message type."""

    name: str
    msg_type: str
    admin: bool
    family: str
    """Stem of the YAML file and name of the generated module, such as order_entry."""
    doc: str
    members: tuple[Member, ...]
    one_of: tuple[OneOf, ...]
    flows: tuple[Scope, ...]
    request: tuple[str, ...] = ()
    """For a request: attributes that its answers refer to."""
    answers: tuple[AnswerRule, ...] = ()
    tracks: RestingOrderRule | None = None
    constructors: tuple[Constructor, ...] = ()
    past: tuple[tuple[Change, tuple[Field, ...]], ...] = ()
    """Changes, each with the fields that it removed from the message."""


@attrs.frozen
class KnownText(Element):
    """A known value of Text (58) in a message; other values must be expected."""

    message: Message
    value: str
    constant: str
    """Python name, such as POST_ONLY_CROSS."""
    field: Field | None
    """Coded field with the same information, such as OrdRejReason; None if none is known."""
    code: Code | None
    """Value of that field."""
    doc: str


@attrs.frozen
class Refusal(Element):
    """A reason why the venue refuses a Logon, recognized by its Text (58)."""

    name: str
    pattern: str
    """Regular expression that finds this reason in a Text, ignoring case."""
    resolution: str
    """Requirement for a later Logon to succeed: `action`, `time` or `unclear`."""
    doc: str


@attrs.frozen
class VenueLimit(Element):
    """One of the venue's limits, other than those on single field values."""

    name: str
    values: tuple[tuple[str, str], ...]
    """Numbers as written, by key; a single number, or the list of words, has the empty string as its key."""
    unit: str
    doc: str
    words: tuple[str, ...] = ()
    """The words of a limit that is not a number, such as the scopes of a key."""

    @property
    def constant(self) -> str:
        """Python name, such as ORDER_GROUP_WINDOW."""
        return self.name.upper()


@attrs.frozen
class SessionType(Element):
    """One of the venue's session types."""

    name: str
    purpose: str
    resend: bool
    reset_required: bool
    products: tuple[str, ...]
    port: int | None
    host_role: str | None
    service: str | None
    """Its purpose as an identifier, such as `orders`."""
    comp_ids: tuple[str, ...]
    max_message_size: int | None = None
    """The largest BodyLength in bytes that the venue's messages need; None for the default."""
    requests_per_second: int | None = None
    """Requests per second that the venue accepts; None if unknown."""
    symbols_per_request: int | None = None
    subscriptions: int | None = None
    past_reports_hours: int | None = None
    """Age in hours up to which the venue sends past reports; None if it sends none."""
    retention_hours: int | None = None
    """Hours for which the venue keeps messages for resend by default; None if it keeps none."""


@attrs.frozen
class Endpoint:
    """A host with its environment, product and role."""

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
    """Prefix of the environment variables that contain the key, such as KALSHI."""


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
    """Sorted by tag."""
    codesets: tuple[CodeSet, ...]
    """Sorted by name."""
    groups: tuple[Group, ...]
    """Each group once, nested groups before the groups that contain them."""
    header: tuple[Member, ...]
    trailer: tuple[Member, ...]
    messages: tuple[Message, ...]
    """Admin first, then by family in manifest order, then in file order."""
    session_types: tuple[SessionType, ...]
    endpoints: tuple[Endpoint, ...]
    environments: tuple[str, ...]
    versions: tuple[tuple[str, str], ...] = ()
    """The venue's changelog, oldest first: version and ISO date."""
    changelog_through: str = ""
    """Date of the venue's newest changelog entry in `changelog.yaml`; empty if there is none."""
    newest_page_date: str = ""
    """Date of the newest page that the spec was compared with; empty if unknown."""
    texts: tuple[KnownText, ...] = ()
    """Known values of Text (58), message by message."""
    standard_data: tuple[tuple[int, int], ...] = ()
    """Tags of the FIX standard's length fields, each with the tag of its data field. The dialect need not
    define these fields.
    """
    refusals: tuple[Refusal, ...] = ()
    """Reasons for which a Logon is refused; the first that matches a Text applies."""
    limits: tuple[VenueLimit, ...] = ()

    @property
    def product_names(self) -> tuple[str, ...]:
        """Names of all products."""
        return tuple(product.name for product in self.products)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """All fields by FIX name."""
        return {field.name: field for field in self.fields}

    def with_lengths(self, members: Iterable[Member]) -> Iterator[tuple[Member, Field | None]]:
        """Yield each member with its length field; None if it has none, or if the length field is a member.

        A length always precedes its data, so the spec need not list it.
        """
        listed = tuple(members)
        names = {member.field.name for member in listed}
        for member in listed:
            length = member.field.length_field
            yield member, None if length is None or length in names else self.by_name[length]

    @property
    def logon(self) -> Message | None:
        """The Logon; None if the dialect has none."""
        return next((message for message in self.messages if message.msg_type == LOGON), None)

    @property
    def version(self) -> str:
        """The venue's last changelog version; empty if it has no versions."""
        return self.versions[-1][0] if self.versions else ""

    @property
    def application_version(self) -> str:
        """FIX version of the application messages, such as FIX.4.4; with FIXT it differs from BeginString."""
        if not self.begin_string.startswith("FIXT"):
            return self.begin_string
        return next((name for name, value in APPL_VER_IDS.items() if value == self.appl_ver_id), "FIX.5.0SP2")

    @property
    def validated(self) -> str:
        """Dates of the venue's documents that the spec was last compared with, as text."""
        parts = (("changelog through", self.changelog_through), ("pages of", self.newest_page_date))
        return ", ".join(f"{label} {date}" for label, date in parts if date)


def walk(
    members: Iterable[Member], enclosing_groups: tuple[Member, ...] = ()
) -> Iterator[tuple[Member, tuple[Member, ...]]]:
    """Yield all members at any depth, each with its enclosing groups, outermost first.

    The members of a group directly follow it.
    """
    for member in members:
        yield member, enclosing_groups
        if member.group is not None:
            yield from walk(member.group.members, (*enclosing_groups, member))
