"""What a source says, one fact at a time, each with where it stands. Readers decide nothing."""

from __future__ import annotations

from functools import cached_property, lru_cache

import attrs

from kalshi_fix_adapters.documents.mistakes import Location

MSG_TYPE, TEXT = 35, 58
"""Tags that readers and comparisons treat in a way of their own."""


@attrs.frozen
class Fact:
    """Something that a source says, and where."""

    location: Location


@attrs.frozen
class FieldSaid(Fact):
    """A tag with its name and perhaps its type, in no message."""

    tag: int
    name: str
    type: str = ""
    """As written."""
    message: str = ""
    """The MsgType that the text around it names, though it is no table of that message's fields."""

    def __str__(self) -> str:
        about = f" of {self.message}, by the way" if self.message else ""
        return f"field {self.tag} {self.name}{f' {self.type}' if self.type else ''}{about}"


@attrs.frozen
class MemberSaid(Fact):
    """A field in the table of a message, the header or the trailer."""

    block: str
    """A MsgType, `header`, `trailer`, or `component NAME`."""
    tag: int
    name: str
    type: str = ""
    """As written."""
    required: str = ""
    """Y, N, C, O (not in every case, said by a heading) or nothing."""
    conditional: bool = False
    """The text beside it says when the field is required."""
    path: tuple[int, ...] | None = None
    """The counters it stands in, outermost first; None where the source does not lay out groups."""
    counts: bool | None = None
    """Whether it is the counter of a group; None where the source does not lay out groups."""
    inside: int | None = None
    """The counter of a group that it stands in, at whatever depth, where only that is said."""
    sender: str | None = None
    """`client` or `venue`, where the table is for one of them."""
    when: tuple[str, str] | None = None
    """A field's name, or the end of it, and the value for which the table holds."""
    default: str = ""
    sessions: tuple[str, ...] = ()
    """The only session types that have it."""
    limits: tuple[int | None, int | None] | None = None
    """Least and greatest value."""
    longest: int | None = None
    """The most characters."""
    table: int = 0
    """The line in which its table begins."""
    under: int | None = None
    """The counter of the group that a heading above the table lays out."""
    most: int | None = None
    """The most entries, for the counter of a group."""
    ties: tuple[str, ...] = ()
    """The fields that the text beside it requires or forbids with it, by name."""
    yes_no: bool = False
    """Whether the text says that the values are Y and N."""
    of_header: bool = False
    """Whether the text says that it is a field of the header."""

    def __str__(self) -> str:
        # What only a page or only a dictionary says is left out where it is not said.
        parts = [f"member {self.block} {self.tag} {self.name}", self.type, self.required]
        parts.append(f"in {'/'.join(map(str, self.path))}" if self.path else "")
        parts.append(f"inside {self.inside}" if self.inside is not None else "")
        parts.append(f"from the {self.sender}" if self.sender else "")
        parts.append(f"when {'='.join(self.when)}" if self.when else "")
        parts.append(f"default {self.default}" if self.default else "")
        parts.append(f"only on {', '.join(self.sessions)}" if self.sessions else "")
        parts.append(f"limits {self.limits[0]}..{self.limits[1]}" if self.limits else "")
        parts.append(f"at most {self.longest} characters" if self.longest else "")
        parts.append(f"at most {self.most} entries" if self.most else "")
        parts.append(f"tied to {', '.join(self.ties)}" if self.ties else "")
        return " ".join(filter(None, parts))


@attrs.frozen
class CodeSaid(Fact):
    """A value of a coded field, with what the source calls it."""

    value: str
    label: str


@attrs.frozen
class CodesSaid(Fact):
    """Values of a coded field that stand together."""

    tag: int
    codes: tuple[CodeSaid, ...]
    whole: bool
    """Whether this reads as the whole list, rather than the value that matters here."""
    message: str = ""
    """The MsgType in whose table they stand."""

    def __str__(self) -> str:
        listed = ", ".join(f"{code.value}={code.label}" for code in self.codes)
        where = f" in {self.message}" if self.message else ""
        return f"{'codes' if self.whole else 'a code'} of {self.tag}{where}: {listed}"


@attrs.frozen
class MessageSaid(Fact):
    """A message that a heading names (with its fields below it), or a dictionary defines."""

    msg_type: str
    name: str
    admin: bool | None = None

    def __str__(self) -> str:
        return f"message {self.msg_type} {self.name}"


@attrs.frozen
class FlowsSaid(Fact):
    """Where a message may flow, from a table of messages."""

    msg_type: str
    name: str
    flows: frozenset[tuple[str, str]]
    """Session type (empty: any) and sender."""

    def __str__(self) -> str:
        flows = "; ".join(f"{sender} on {session or 'any'}" for session, sender in sorted(self.flows))
        return f"flows of {self.msg_type} {self.name}: {flows}"


@attrs.frozen
class HostSaid(Fact):
    """A host of an environment."""

    environment: str
    """As written; empty where none is named."""
    role: str
    """As written, such as `Order Entry`; empty for a host in running text."""
    host: str
    session: str = ""
    """The session type that it serves, where it stands in that one's row."""

    def __str__(self) -> str:
        role = f" for {self.role}" if self.role else ""
        return f"host {self.host}{role}{_in(self.environment)}"


@attrs.frozen
class SessionSaid(Fact):
    """A session type in a table of endpoints."""

    environment: str
    name: str
    port: int | None

    def __str__(self) -> str:
        return f"session {self.name} on port {self.port}{_in(self.environment)}"


@attrs.frozen
class VersionSaid(Fact):
    """An entry of the changelog; one without a version has its date alone."""

    version: str
    date: str
    """ISO; empty where none is given."""

    def __str__(self) -> str:
        return f"version {self.version or '(none)'} of {self.date or 'no date'}"


@attrs.frozen
class EntrySaid(Fact):
    """An entry of a changelog of all APIs of a venue."""

    date: str
    """ISO."""
    title: str
    tags: tuple[str, ...]
    title_print: str
    """Fingerprint of the title; with the date it tells one entry from another."""
    text_print: str
    """Fingerprint of all of it."""
    about: bool
    """Whether it is tagged as being about FIX, or speaks of it."""
    version: str
    """The version that its title names; empty for most."""

    def __str__(self) -> str:
        about = "entry" if self.about else "entry on other APIs"
        return f"{about} of {self.date} [{', '.join(self.tags)}] {self.title}"


@attrs.frozen
class TextSaid(Fact):
    """A value of Text (58) in a message, and the code of another field that comes with it."""

    message: str
    text: str
    field: str = ""
    """As written."""
    code: str = ""
    """The code's name as written."""

    def __str__(self) -> str:
        return f"text {self.text} in {self.message}{f' with {self.field} {self.code}' if self.field else ''}"


@attrs.frozen
class Pair(Fact):
    """A field of an example."""

    tag: int
    value: str


@attrs.frozen
class ExampleSaid(Fact):
    """An example of a message."""

    pairs: tuple[Pair, ...]
    shortened: bool
    """Whether it says that something is left out."""

    def __str__(self) -> str:
        return f"example {'|'.join(f'{pair.tag}={pair.value}' for pair in self.pairs)}"


@attrs.frozen
class MentionSaid(Fact):
    """A message type, tag or session type named in running text."""

    kind: str
    """`message`, `field` or `session`."""
    value: str
    name: str = ""

    def __str__(self) -> str:
        return f"mention of {self.kind} {self.value}{f' {self.name}' if self.name else ''}"


@attrs.frozen
class DictionarySaid(Fact):
    """Which edition of a dictionary this is, as a comment in it says."""

    version: str

    def __str__(self) -> str:
        return f"dictionary {self.version}"


@attrs.frozen
class Unread(Fact):
    """Something that looks like a fact and could not be read."""

    what: str

    def __str__(self) -> str:
        return f"could not read: {self.what}"


@attrs.frozen
class Vocabulary:
    """Names that the spec knows already, by which readers tell a code from a tag, or whom a text is about."""

    messages: dict[str, str] = attrs.field(factory=dict)
    """MsgType to name."""
    fields: dict[int, str] = attrs.field(factory=dict)
    kinds: dict[int, str] = attrs.field(factory=dict)
    """Tag to lexical kind, such as BOOLEAN."""
    codes: dict[int, dict[str, str]] = attrs.field(factory=dict)
    """Tag to the names of its codes by value."""
    sessions: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    @cached_property
    def _tags(self) -> dict[str, int]:
        # Reversed, so that of two that read alike the first in the spec counts.
        return {folded(name): tag for tag, name in reversed(self.fields.items())}

    @cached_property
    def _types(self) -> dict[str, str]:
        return {folded(name): key for key, name in reversed(self.messages.items())}

    def tag_of(self, name: str) -> int | None:
        """The tag of a field, by its name in any spelling."""
        return self._tags.get(folded(name))

    def msg_type_of(self, name: str) -> str | None:
        """The MsgType of a message, by its name in any spelling."""
        return self._types.get(folded(name))


def _in(environment: str) -> str:
    return f" in {environment}" if environment else ""


@lru_cache(maxsize=100_000)
def folded(name: str) -> str:
    """A name without case and punctuation: `Order Cancel/Replace` and `OrderCancelReplace` are one."""
    # Compared for every word of every page, so that it is kept.
    return "".join(c for c in name.lower() if c.isalnum())
