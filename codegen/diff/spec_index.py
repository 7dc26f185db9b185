"""The spec in a form that can be compared with the sources, with the YAML locations of its elements."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import attrs

from codegen import model
from codegen.diff.facts import EntryForm, Vocabulary
from codegen.presence import MANDATORY, Place, places, places_of, presence_at
from codegen.read.context import words
from codegen.read.load import MergedSpec, load
from codegen.read.resolve import resolve
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.nodes import Map, Scalar

PAGE = "page"
DICTIONARY = "dictionary"
CHANGELOG = "changelog"
GUIDE = "guide"
# `page fix/order-entry`, `dictionary 1.03`, `changelog changelog`; any other text is a source that is not
# compared.
_ORIGIN = re.compile(r"(page|dictionary|changelog)\s+(\S+)")


@attrs.frozen
class PlacedMember:
    """A field of a block, with the groups that contain it."""

    member: model.Member
    enclosing_groups: tuple[model.Member, ...]
    """Outermost first."""
    implied: bool = False
    """Whether it is the length field of a data field; the spec does not list length fields."""

    @property
    def field(self) -> model.Field:
        """The field, or the counter of a group."""
        return self.member.field

    @property
    def path(self) -> tuple[int, ...]:
        """Tags of the enclosing counters."""
        return tuple(group.field.tag for group in self.enclosing_groups)

    @property
    def tags(self) -> tuple[int, ...]:
        """Its tag, and the tags of legacy fields whose values are read into it."""
        return (self.field.tag, *(old.tag for old in self.member.legacy_fields))

    def allowed_places(self, places: Iterable[Place]) -> list[Place]:
        """Return the places where the member and all enclosing groups are allowed."""
        # If a group is forbidden, so are its members.
        chain = (*self.enclosing_groups, self.member)
        return [place for place in places if all(presence_at(each, place) != "forbidden" for each in chain)]

    def is_required(self, place: Place) -> bool:
        """Return whether its block or group entry requires it."""
        return presence_at(self.member, place) in MANDATORY

    def is_required_in_message(self, place: Place) -> bool:
        """Return whether every such message must contain it."""
        return self.is_required(place) and all(
            presence_at(each, place) == "required" for each in self.enclosing_groups
        )


@attrs.frozen
class Origin:
    """One of the manifest's `sources`."""

    name: str
    kind: str
    """`page`, `guide` (a page outside the folders of the products), `dictionary`, `changelog`, or empty."""
    id: str
    """Name of the page, such as fix/order-entry, or edition of the dictionary."""
    location: Location


class SpecIndex:
    """A resolved spec folder, with the locations that the resolved model lacks."""

    def __init__(self, folder: Path) -> None:
        """Read and resolve the folder; raise SpecError if it is invalid."""
        self.merged_spec: MergedSpec = load(folder)
        self.dialect = resolve(self.merged_spec)
        self.folder = folder
        self.fields = {field.tag: field for field in self.dialect.fields}
        self.messages = {message.msg_type: message for message in self.dialect.messages}
        self._placed: dict[str, tuple[PlacedMember, ...]] = {}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Names that the parsers need."""
        changelog_sources = {origin.name for origin in self.origins.values() if origin.kind == CHANGELOG}
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
            venue=self.dialect.title.lower(),
            entry=EntryForm(**self._texts("changelog_entry")),
            ports=tuple(each.port for each in self.dialect.session_types if each.port is not None),
            limits=tuple(
                each.name for each in self.dialect.limits if changelog_sources & {*each.source.split(", ")}
            ),
        )

    @cached_property
    def products(self) -> tuple[str, ...]:
        """The products; one without a name if the dialect has none."""
        return self.dialect.product_names or ("",)

    @cached_property
    def page_folders(self) -> dict[str, str]:
        """The venue's folders of pages, such as fix-margin, each with its product."""
        return {
            folder: name
            for name, (node, _) in self.merged_spec.merged("products").items()
            if isinstance(node, Map)
            for folder, _ in words(node.get("pages"))
        }

    @cached_property
    def origins(self) -> dict[str, Origin]:
        """The manifest's sources by name."""
        origins = {}
        for name, (node, where) in self.merged_spec.merged("sources").items():
            match = _ORIGIN.match(getattr(node, "text", ""))
            kind, document = (match[1], match[2].rstrip(",")) if match else ("", "")
            if kind == PAGE and self.product_of_page(document) is None:
                kind = GUIDE
            origins[name] = Origin(name, kind, document, where)
        return origins

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Kinds of the manifest's sources by page or edition."""
        return {origin.id: origin.kind for origin in self.origins.values()}

    def unknown_folder(self, page: str) -> str:
        """Return the folder of a page that is not in the manifest, if the folder's name is similar to those
        of the products' folders; empty for other pages.

        The folder of the page fix-options/orders is fix-options, and that of v2/fix/orders is v2/fix. For the
        page fix-options, which is in no folder, its own name is returned.
        """
        if page in self.kinds or not self.page_folders or self.product_of_page(page) is not None:
            return ""
        stems = "|".join({re.split(r"\W", each.rpartition("/")[2])[0] for each in self.page_folders})
        # A page such as fixed-point is not about a product; a folder such as fixes may be.
        pattern = rf"(?:\A|.*?/)(?:{stems})(?:[^/]*(?=/)|(?![a-z])[^/]*\Z)"
        match = re.match(pattern, page, re.IGNORECASE)
        return match[0] if match else ""

    def product_of_page(self, page: str) -> str | None:
        """Return the product of a page such as fix-margin/order-entry; None if the page is in no product's
        folder.
        """
        # A dialect without products has a single unnamed product, and all pages are about it.
        if not self.dialect.products:
            return ""
        # The longest match: fix-margin/rfq is not in the folder fix.
        folders = [each for each in self.page_folders if page.startswith(f"{each}/")]
        return self.page_folders[max(folders, key=len)] if folders else None

    def pages_of(self, sources: str, product: str) -> set[str]:
        """Return the names, in the manifest, of those sources of an element that are pages on a product."""
        origins = [self.origins[name] for name in sources.split(", ") if name in self.origins]
        pages = (each for each in origins if each.kind == PAGE)
        return {page.name for page in pages if self.product_of_page(page.id) == product}

    def places(self, message: model.Message | None, product: str | None = None) -> list[Place]:
        """Return the places where a message may be sent, optionally on one product; all places for the header
        and the trailer.
        """
        all_places = places(self.dialect, product)
        return list(all_places if message is None else places_of(message, all_places))

    def members(self, block: str) -> tuple[PlacedMember, ...]:
        """Return all fields of a message, of `header` or of `trailer`, in the order of the spec."""
        if block not in self._placed:
            blocks = {"header": self.dialect.header, "trailer": self.dialect.trailer}
            members = blocks[block] if block in blocks else self.messages[block].members
            self._placed[block] = tuple(self._placed_members(members, ()))
        return self._placed[block]

    def _placed_members(
        self, members: tuple[model.Member, ...], enclosing_groups: tuple[model.Member, ...]
    ) -> list[PlacedMember]:
        placed: list[PlacedMember] = []
        for member, length in self.dialect.with_lengths(members):
            if length is not None:
                implied = attrs.evolve(member, field=length, presence="optional", constant=None, rules=())
                placed.append(PlacedMember(implied, enclosing_groups, implied=True))
            placed.append(PlacedMember(member, enclosing_groups))
            if member.group is not None:
                placed += self._placed_members(member.group.members, (*enclosing_groups, member))
        return placed

    def block_name(self, block: str) -> str:
        """Return the name of the message, or `header` or `trailer`."""
        return self.messages[block].name if block in self.messages else block

    def field_name(self, tag: int) -> str:
        """Return the name of a field, or its tag if the spec does not have it."""
        return self.vocabulary.fields.get(tag, str(tag))

    def location(self, section: str, name: str) -> Location:
        """Return the location of an element.

        It is in this folder if this folder defines any part of the element, else in the extended folder.
        """
        entry = self.merged_spec.sections[section][name]
        folder = f"{self.folder.as_posix()}/"
        # If an entry extends one from the other folder, its name is located in that folder, and the settings
        # that it changes are in this one.
        locations = [entry.node.at(key) for key in entry.node if entry.node.at(key).file.startswith(folder)]
        if entry.location.file.startswith(folder) or not locations:
            return entry.location
        return min(locations, key=lambda each: each.line)

    def session_location(self, name: str, key: str = "") -> Location:
        """Return the location of a session type, or of one of its settings."""
        entry = self.merged_spec.sections["sessions"][name]
        return entry.node.at(key) if key in entry.node else entry.location

    def _texts(self, key: str) -> dict[str, str]:
        """Return the values of a mapping in the manifest by key."""
        merged = self.merged_spec.merged(key)
        return {name: node.text for name, (node, _) in merged.items() if isinstance(node, Scalar)}

    def versions(self) -> dict[str, tuple[str, Location]]:
        """Return the manifest's versions with date and location."""
        merged = self.merged_spec.merged("versions")
        return {name: (getattr(node, "text", ""), where) for name, (node, where) in merged.items()}

    @cached_property
    def documents(self) -> dict[str, str]:
        """URLs of the venue's documents (`index` and `dictionary`) that the manifest contains."""
        return self._texts("documents")

    def manifest_location(self, key: str) -> Location:
        """Return the location of a key in the manifest."""
        for manifest in reversed(self.merged_spec.manifests):
            if key in manifest:
                return manifest.at(key)
        return self.merged_spec.location

    def end_of_file(self, name: str) -> Location:
        """Return the end of a file of the spec folder, where an element can be added."""
        path = self.folder / name
        # Line 1 for a folder, or for a file that does not exist yet.
        lines = path.read_text(encoding="utf-8").count("\n") if path.is_file() else 1
        return Location(path.as_posix(), max(lines, 1))

    def dates(self) -> set[str]:
        """Return all dates in the history of the spec."""
        blocks: list[model.Message | model.Group] = [*self.dialect.messages, *self.dialect.groups]
        elements: list[model.Element] = [*self.dialect.fields, *self.dialect.messages]
        elements += [each for block in blocks for each in block.members]
        elements += [code for codeset in self.dialect.codesets for code in codeset.codes]
        dates = {change.date or "" for each in elements for change in each.pedigree.changes}
        return {date for date, _ in self.versions().values()} | dates - {""}
