"""Facts parsed from a source, each with its location. Parsers make no comparisons."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache

import attrs

from kalshi_fix_adapters.documents.mistakes import Location

MSG_TYPE, TEXT = 35, 58
"""Tags with special treatment in parsers and comparisons."""


@attrs.frozen
class Fact:
    """A statement of a source, and its location."""

    location: Location


@attrs.frozen
class FieldFact(Fact):
    """A tag with its name and optionally its type, outside any message."""

    tag: int
    name: str
    type: str = ""
    """Type as written in the source."""
    message: str = ""
    """MsgType of a message that the headings mention, although the table does not list its fields."""

    def __str__(self) -> str:
        mention = f" mentioned with {self.message}" if self.message else ""
        return f"field {self.tag} {self.name}{f' {self.type}' if self.type else ''}{mention}"


@attrs.frozen
class MemberFact(Fact):
    """A field in the table of a message, the header or the trailer."""

    block: str
    """A MsgType, `header`, `trailer`, or `component NAME`."""
    tag: int
    name: str
    type: str = ""
    """Type as written in the source."""
    required: str = ""
    """Y, N, C (conditional), O (under a heading such as "Optional fields") or empty."""
    conditional: bool = False
    """Whether the row's text contains a condition under which the field is required."""
    path: tuple[int, ...] | None = None
    """Counters of the enclosing groups, outermost first; None if the source does not show groups."""
    is_counter: bool | None = None
    """Whether it is the counter of a group; None if the source does not show groups."""
    enclosing_group: int | None = None
    """Counter of one enclosing group, if the source names only one."""
    sender: str | None = None
    """`client` or `venue`, if the table applies to only one of them."""
    when: tuple[str, str] | None = None
    """Name of a field, or the end of its name, and the value for which the table applies."""
    default: str = ""
    sessions: tuple[str, ...] = ()
    """Session types to which the field is limited; empty for all."""
    limits: tuple[int | None, int | None] | None = None
    """Minimum and maximum value."""
    max_length: int | None = None
    """Maximum number of characters."""
    table: int = 0
    """First line of its table."""
    heading_counter: int | None = None
    """Counter of the group that a heading above the table names."""
    max_entries: int | None = None
    """Maximum number of entries, for the counter of a group."""
    tied_fields: tuple[str, ...] = ()
    """Names of the fields that the row's text requires or forbids together with this one."""
    yes_no: bool = False
    """Whether the text lists Y and N as the values."""
    in_header: bool = False
    """Whether the text calls it a field of the header."""

    def __str__(self) -> str:
        # Attributes that the source does not state are left out.
        parts = [f"member {self.block} {self.tag} {self.name}", self.type, self.required]
        parts.append(f"in {'/'.join(map(str, self.path))}" if self.path else "")
        parts.append(f"inside {self.enclosing_group}" if self.enclosing_group is not None else "")
        parts.append(f"from the {self.sender}" if self.sender else "")
        parts.append(f"when {'='.join(self.when)}" if self.when else "")
        parts.append(f"default {self.default}" if self.default else "")
        parts.append(f"only on {', '.join(self.sessions)}" if self.sessions else "")
        parts.append(f"limits {self.limits[0]}..{self.limits[1]}" if self.limits else "")
        parts.append(f"at most {self.max_length} characters" if self.max_length else "")
        parts.append(f"at most {self.max_entries} entries" if self.max_entries else "")
        parts.append(f"tied to {', '.join(self.tied_fields)}" if self.tied_fields else "")
        return " ".join(filter(None, parts))


@attrs.frozen
class CodeFact(Fact):
    """A value of a coded field, with the source's label."""

    value: str
    label: str


@attrs.frozen
class CodesFact(Fact):
    """A list of values of a coded field."""

    tag: int
    codes: tuple[CodeFact, ...]
    complete: bool
    """Whether the list contains all values of the field, not only the one used in this message."""
    message: str = ""
    """Block whose table contains the list: a MsgType, `header` or `trailer`; empty for any other list."""

    def __str__(self) -> str:
        codes = ", ".join(f"{code.value}={code.label}" for code in self.codes)
        where = f" in {self.message}" if self.message else ""
        return f"{'codes' if self.complete else 'a code'} of {self.tag}{where}: {codes}"


@attrs.frozen
class MessageFact(Fact):
    """A message named in a heading (with its fields below), or defined in a dictionary."""

    msg_type: str
    name: str
    admin: bool | None = None

    def __str__(self) -> str:
        return f"message {self.msg_type} {self.name}"


@attrs.frozen
class FlowsFact(Fact):
    """Flows of a message, from a table of messages."""

    msg_type: str
    name: str
    flows: frozenset[tuple[str, str]]
    """Session type (empty: any) and sender."""

    def __str__(self) -> str:
        flows = "; ".join(f"{sender} on {session or 'any'}" for session, sender in sorted(self.flows))
        return f"flows of {self.msg_type} {self.name}: {flows}"


@attrs.frozen
class HostFact(Fact):
    """A host of an environment."""

    environment: str
    """Name as written in the source; empty if it names none."""
    role: str
    """Role as written in the source, such as `Order Entry`; empty for a host in running text."""
    host: str
    session: str = ""
    """Session type of the table row that contains it, if any."""

    def __str__(self) -> str:
        role = f" for {self.role}" if self.role else ""
        return f"host {self.host}{role}{_environment_text(self.environment)}"


@attrs.frozen
class SessionFact(Fact):
    """A session type in a table of endpoints."""

    environment: str
    name: str
    port: int | None

    def __str__(self) -> str:
        return f"session {self.name} on port {self.port}{_environment_text(self.environment)}"


@attrs.frozen
class VersionFact(Fact):
    """An entry of the changelog; one without a version is identified by its date."""

    version: str
    date: str
    """ISO format; empty if none is given."""

    def __str__(self) -> str:
        dated = f"dated {self.date}" if self.date else "undated"
        return f"version {self.version or '(none)'}, {dated}"


@attrs.frozen
class EntryFact(Fact):
    """An entry of a changelog that covers all of a venue's APIs."""

    date: str
    """ISO format."""
    title: str
    tags: tuple[str, ...]
    title_fingerprint: str
    """Fingerprint of the title; together with the date it identifies the entry."""
    text_fingerprint: str
    """Fingerprint of the whole entry, except for its date."""
    is_relevant: bool
    """Whether it is about the dialect: tagged FIX, or mentioning FIX or a name of the dialect."""
    text: str
    """The text of the entry, for display."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Date and fingerprints, as in `changelog.yaml`."""
        return self.date, self.title_fingerprint, self.text_fingerprint

    def __str__(self) -> str:
        label = "entry" if self.is_relevant else "entry on other APIs"
        return f"{label} of {self.date} [{', '.join(self.tags)}] {self.title}"


@attrs.frozen
class TextFact(Fact):
    """A value of Text (58) in a message, and the code of another field that accompanies it."""

    message: str
    text: str
    field: str = ""
    """Name of the field as written in the source."""
    code: str = ""
    """Name of the code as written in the source."""

    def __str__(self) -> str:
        return f"text {self.text} in {self.message}{f' with {self.field} {self.code}' if self.field else ''}"


@attrs.frozen
class Pair(Fact):
    """A field of an example."""

    tag: int
    value: str


@attrs.frozen
class ExampleFact(Fact):
    """An example of a message."""

    pairs: tuple[Pair, ...]
    shortened: bool
    """Whether the example is abbreviated with an ellipsis."""

    def __str__(self) -> str:
        return f"example {'|'.join(f'{pair.tag}={pair.value}' for pair in self.pairs)}"


@attrs.frozen
class MentionFact(Fact):
    """A message type, tag or session type named in running text."""

    kind: str
    """`message`, `field` or `session`."""
    value: str
    name: str = ""

    def __str__(self) -> str:
        return f"mention of {self.kind} {self.value}{f' {self.name}' if self.name else ''}"


@attrs.frozen
class DictionaryFact(Fact):
    """Edition of a dictionary, from a comment in it."""

    version: str

    def __str__(self) -> str:
        return f"dictionary {self.version}"


@attrs.frozen
class UnreadableFact(Fact):
    """Content that looks like a fact and could not be parsed."""

    what: str

    def __str__(self) -> str:
        return f"could not read: {self.what}"


@attrs.frozen
class EntryForm:
    """The notation of a changelog entry on the venue's pages; without a `component` there are no entries."""

    component: str = ""
    """Name of the component, such as Update."""
    date: str = ""
    """Attribute with the date or the version."""
    title: str = ""
    """Attribute whose value is an object with the title, such as `rss={{title: "…"}}`."""
    description: str = ""
    """Attribute with the title of an entry that has no such object."""
    tags: str = ""
    """Attribute with the tags."""
    about: str = ""
    """Tag of the entries about the dialect, in capitals."""


@attrs.frozen
class Vocabulary:
    """Names that the spec already has, used by parsers to recognize codes, tags and messages."""

    messages: dict[str, str] = attrs.field(factory=dict)
    """Names of messages by MsgType."""
    fields: dict[int, str] = attrs.field(factory=dict)
    kinds: dict[int, str] = attrs.field(factory=dict)
    """Lexical kinds, such as BOOLEAN, by tag."""
    codes: dict[int, dict[str, str]] = attrs.field(factory=dict)
    """Names of the codes of each tag, by value."""
    sessions: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    limits: tuple[str, ...] = ()
    """Names of the limits whose source is a changelog."""
    venue: str = ""
    """The venue's name in lower case."""
    entry: EntryForm = EntryForm()

    @cached_property
    def _tags(self) -> dict[str, int]:
        # Reversed, so that of two names with the same folded form, the first one in the spec wins.
        return {folded(name): tag for tag, name in reversed(self.fields.items())}

    @cached_property
    def _types(self) -> dict[str, str]:
        return {folded(name): key for key, name in reversed(self.messages.items())}

    @cached_property
    def name_pattern(self) -> re.Pattern[str]:
        """Pattern that matches any message name (with or without spaces), session type or port, and `35=`."""
        message_names = (re.sub(r"(?<=[a-z])(?=[A-Z])", " ?", name) for name in self.messages.values())
        return re.compile(
            rf"\b(?:35\s?=|(?:{'|'.join([*message_names, *self.sessions, *map(str, self.ports)])})\b)"
        )

    def mentions_limit(self, text: str) -> bool:
        """Return whether a text contains all words of the name of one of the `limits`."""
        words = {word.removesuffix("s") for word in re.findall(r"\w+", text.lower())}
        return any({word.removesuffix("s") for word in name.split("_")} <= words for name in self.limits)

    def tag_of(self, name: str) -> int | None:
        """Return the tag of a field by its name in any spelling."""
        return self._tags.get(folded(name))

    def msg_type_of(self, name: str) -> str | None:
        """Return the MsgType of a message by its name in any spelling."""
        return self._types.get(folded(name))


def _environment_text(environment: str) -> str:
    """Return " in ENVIRONMENT"; empty without an environment."""
    return f" in {environment}" if environment else ""


@lru_cache(maxsize=100_000)
def folded(name: str) -> str:
    """Return the letters and digits of a name in lower case, so that `Order Cancel/Replace` and
    `OrderCancelReplace` become equal.
    """
    # Called for every word of every page, hence the cache.
    return "".join(c for c in name.lower() if c.isalnum())
