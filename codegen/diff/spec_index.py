"""The spec's own facts, in the form in which sources are compared with them, and the YAML they stand in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import attrs

from codegen import model
from codegen.diff.facts import Vocabulary
from codegen.presence import WANTED, Place, places, places_of, presence_at
from codegen.read.context import words
from codegen.read.load import Definition, Source, load
from codegen.read.resolve import resolve
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.nodes import Map

PAGE = "page"
DICTIONARY = "dictionary"
CHANGELOG = "changelog"
# `page fix/order-entry`, `dictionary 1.03`, `changelog changelog`; any other text is about a source that
# nothing is compared with.
_ORIGIN = re.compile(r"(page|dictionary|changelog)\s+(\S+)")


@attrs.frozen
class PlacedMember:
    """A field of a block, at whatever depth of groups."""

    member: model.Member
    holders: tuple[model.Member, ...]
    """The groups it stands in, outermost first."""
    implied: bool = False
    """Whether it is the length of a data field, which the spec does not list."""

    @property
    def field(self) -> model.Field:
        """The field, or the counter of a group."""
        return self.member.field

    @property
    def path(self) -> tuple[int, ...]:
        """The counters it stands in."""
        return tuple(holder.field.tag for holder in self.holders)

    @property
    def tags(self) -> tuple[int, ...]:
        """Its tag, and those of the older fields that are read into it."""
        return (self.field.tag, *(old.tag for old in self.member.legacy_fields))

    def allowed(self, places: Iterable[Place]) -> list[Place]:
        """The places at which neither it nor a group around it is forbidden."""
        # A member of a group that is forbidden somewhere is forbidden there, too.
        chain = (*self.holders, self.member)
        return [place for place in places if all(presence_at(each, place) != "forbidden" for each in chain)]

    def required(self, place: Place) -> bool:
        """Whether it must stand in its block or group entry."""
        return presence_at(self.member, place) in WANTED

    def required_in_message(self, place: Place) -> bool:
        """Whether the message cannot do without it."""
        return self.required(place) and all(presence_at(each, place) == "required" for each in self.holders)


@attrs.frozen
class Origin:
    """What a name of the manifest's `sources` stands for."""

    name: str
    kind: str
    """`page`, `dictionary`, `changelog`, or empty for anything else."""
    id: str
    """The page, such as fix/order-entry, or the edition of the dictionary."""
    location: Location


class SpecIndex:
    """A spec folder, resolved, and the locations of what the resolved model has none for."""

    def __init__(self, folder: Path) -> None:
        """Read and resolve the folder; raises SpecError where it is not sound."""
        self.source: Source = load(folder)
        self.dialect = resolve(self.source)
        self.folder = folder
        self.fields = {field.tag: field for field in self.dialect.fields}
        self.messages = {message.msg_type: message for message in self.dialect.messages}
        self._placed: dict[str, tuple[PlacedMember, ...]] = {}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The names that readers need."""
        return Vocabulary(
            messages={key: message.name for key, message in self.messages.items()},
            fields={tag: field.name for tag, field in self.fields.items()},
            kinds={tag: field.datatype.kind for tag, field in self.fields.items()},
            codes={
                tag: {code.value: code.name for code in field.codeset.codes}
                for tag, field in self.fields.items()
                if field.codeset is not None
            },
            sessions=tuple(each.name for each in self.dialect.session_types),
            environments=self.dialect.environments,
        )

    @cached_property
    def products(self) -> tuple[str, ...]:
        """The products; one without a name where the dialect has none."""
        return self.dialect.product_names or ("",)

    @cached_property
    def page_folders(self) -> dict[str, str]:
        """The venue's folders of pages, such as fix-margin, each with the product that it is about."""
        return {
            folder: name
            for name, (node, _) in self.source.merged("products").items()
            if isinstance(node, Map)
            for folder, _ in words(node.get("pages"))
        }

    @cached_property
    def origins(self) -> dict[str, Origin]:
        """The manifest's sources by name."""
        found = {}
        for name, (node, where) in self.source.merged("sources").items():
            match = _ORIGIN.match(getattr(node, "text", ""))
            kind, known = (match[1], match[2].rstrip(",")) if match else ("", "")
            found[name] = Origin(name, kind, known, where)
        return found

    def product_of_page(self, page: str) -> str | None:
        """The product of a page such as fix-margin/order-entry; None where its folder is not the venue's."""
        # A dialect without products has one, without a name, and all pages are about it.
        if not self.dialect.products:
            return ""
        # The longest: fix-margin/rfq is no page of a folder fix.
        folders = [each for each in self.page_folders if page.startswith(f"{each}/")]
        return self.page_folders[max(folders, key=len)] if folders else None

    def pages_of(self, sources: str, product: str) -> set[str]:
        """The manifest's names of those sources of an element that are pages about a product."""
        named = {name for name in sources.split(", ") if name in self.origins}
        return {
            name
            for name in named
            if self.origins[name].kind == PAGE and self.product_of_page(self.origins[name].id) == product
        }

    def places(self, message: model.Message | None, product: str | None = None) -> list[Place]:
        """Where a message may flow (header and trailer: anywhere), perhaps on one product alone."""
        found = places(self.dialect, product)
        return list(found if message is None else places_of(message, found))

    def members(self, block: str) -> tuple[PlacedMember, ...]:
        """Every field of a message, of `header` or of `trailer`, in the order of the spec."""
        if block not in self._placed:
            named = {"header": self.dialect.header, "trailer": self.dialect.trailer}
            members = named[block] if block in named else self.messages[block].members
            self._placed[block] = tuple(self._flat(members, ()))
        return self._placed[block]

    def _flat(
        self, members: tuple[model.Member, ...], holders: tuple[model.Member, ...]
    ) -> list[PlacedMember]:
        found: list[PlacedMember] = []
        for member, length in self.dialect.with_lengths(members):
            if length is not None:
                implied = attrs.evolve(member, field=length, presence="optional", constant=None, rules=())
                found.append(PlacedMember(implied, holders, implied=True))
            found.append(PlacedMember(member, holders))
            if member.group is not None:
                found += self._flat(member.group.members, (*holders, member))
        return found

    def block_name(self, block: str) -> str:
        """The message's name, or header or trailer."""
        return self.messages[block].name if block in self.messages else block

    def field_name(self, tag: int) -> str:
        """The name of a field; its number where the spec does not know the tag."""
        return self.vocabulary.fields.get(tag, str(tag))

    def field_location(self, name: str) -> Location:
        """Where a field stands in this folder, if it says anything about it, else in the one below."""
        return self._nearest(self.source.sections["fields"][name])

    def message_location(self, message: model.Message) -> Location:
        """Where a message stands in this folder, if it says anything about it, else in the one below."""
        return self._nearest(self.source.sections["messages"][message.name])

    def _nearest(self, entry: Definition) -> Location:
        folder = f"{self.folder.as_posix()}/"
        # An entry that this folder extends keeps the location of its name in the base; what this
        # folder says of it stands elsewhere.
        own = [entry.node.at(key) for key in entry.node if entry.node.at(key).file.startswith(folder)]
        if entry.location.file.startswith(folder) or not own:
            return entry.location
        return min(own, key=lambda each: each.line)

    def session_location(self, name: str, key: str = "") -> Location:
        """Where a session type stands, or one of its settings."""
        entry = self.source.sections["sessions"][name]
        return entry.node.at(key) if key in entry.node else entry.location

    def host_location(self, environment: str, product: str, role: str) -> Location:
        """Where a host stands, or would have to stand."""
        entry = self.source.hosts.get(environment)
        if entry is None:
            return self.file("sessions.yaml")
        hosts = entry.node.mapping(product)
        return hosts.at(role) if hosts.entries else entry.location

    def versions(self) -> dict[str, tuple[str, Location]]:
        """The manifest's versions with date and location."""
        merged = self.source.merged("versions")
        return {name: (getattr(node, "text", ""), where) for name, (node, where) in merged.items()}

    def manifest(self, key: str) -> Location:
        """Where a key of the manifest stands."""
        for manifest in reversed(self.source.manifests):
            if key in manifest:
                return manifest.at(key)
        return self.source.location

    def file(self, name: str) -> Location:
        """The end of a file of the spec folder, where something new can be added."""
        path = self.folder / name
        # Of a folder, or of a file that is not there yet, the beginning.
        lines = path.read_text(encoding="utf-8").count("\n") if path.is_file() else 1
        return Location(path.as_posix(), max(lines, 1))

    def family_of(self, origin: str) -> str:
        """The family whose messages come from a source; empty where none does."""
        counted = Counter(each.family for each in self.dialect.messages if origin in each.source.split(", "))
        return max(counted, key=counted.__getitem__, default="")

    def dates(self) -> set[str]:
        """Every date that the spec's history knows."""
        blocks: list[model.Message | model.Group] = [*self.dialect.messages, *self.dialect.groups]
        elements: list[model.Element] = [*self.dialect.fields, *self.dialect.messages]
        elements += [each for block in blocks for each in block.members]
        elements += [code for codeset in self.dialect.codesets for code in codeset.codes]
        found = {change.date or "" for each in elements for change in each.pedigree.changes}
        return {date for date, _ in self.versions().values()} | found - {""}
