"""What is left to do: a finding for each thing that a source says and the spec does not, or the reverse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

import attrs

from codegen.diff.facts import Fact, Unread
from codegen.diff.sources import Given, Reading
from codegen.diff.spec_index import CHANGELOG, DICTIONARY, PAGE, SpecIndex
from kalshi_fix_adapters.documents.mistakes import Location

NEW, GONE, DIFFERENT = "new", "gone", "different"
UNREAD, STALE, UNREVIEWED = "unread", "stale", "unreviewed"

# What `advice.text` writes where a page says which code comes with a text.
_MEANS = re.compile(r"means: \{[^}]*\}, ")

_Said = TypeVar("_Said", bound=Fact)


@attrs.frozen
class Edit:
    """What to write where."""

    location: Location
    text: str
    scoped: str = ""
    """The same where it holds for some products alone, which take the place of PRODUCTS."""
    sources: tuple[str, ...] = ()
    """The manifest's names of the sources that say so, which take the place of SOURCES."""

    def on(self, products: tuple[str, ...]) -> Edit:
        """The edit for some products alone, none for all of them; with the sources put in."""
        text = (
            self.scoped.replace("PRODUCTS", yaml_words(products)) if products and self.scoped else self.text
        )
        return Edit(self.location, text.replace("SOURCES", yaml_words(self.sources)))

    def __str__(self) -> str:
        return f"{self.location}: {self.text}"


def yaml_words(words: Sequence[str]) -> str:
    """A word, or a list of words, as a line of YAML has it."""
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


@attrs.frozen
class Finding:
    """One thing to look at."""

    kind: str
    """new, gone, different, unread, stale or unreviewed."""
    element: str
    """member, message, field, code, session, host, version, entry, text, page or source."""
    address: str
    """The element by name: `Logon.HeartBtInt`, `OrdStatus=5`, `KalshiRT`."""
    says: str
    """What the source says of it in a word or two, as `differences.yaml` repeats it."""
    what: str
    """The same as a sentence."""
    locations: tuple[Location, ...]
    edits: tuple[Edit, ...] = ()
    evidence: str = ""
    """Which body of sources says so; see `Evidence.name`."""
    products: tuple[str, ...] = ()
    """Those it was found on; empty for what no page about one product says."""
    sources: tuple[str, ...] = ()
    """The manifest's names of the sources that say so, or would have to."""
    group: str = ""
    """Findings with the same text here are told together; empty for one that stands alone."""
    shown: tuple[str, ...] = ()
    """What the source says there, passage by passage."""


@attrs.frozen
class Evidence:
    """Sources that are read as one: the pages about a product, the dictionary, or the changelog."""

    kind: str
    product: str | None
    readings: tuple[Reading, ...]
    covered: frozenset[str]
    """The manifest's sources that were given."""
    spec: SpecIndex
    _by_kind: dict[type[object], list[Fact]] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for reading in self.readings:
            for fact in reading.facts:
                self._by_kind.setdefault(type(fact), []).append(fact)

    @property
    def name(self) -> str:
        """Such as `pages margin`; the dictionary is one whatever it is about, and so is the changelog."""
        return f"pages {self.product}" if self.kind == PAGE else self.kind

    @property
    def is_pages(self) -> bool:
        """Whether these are pages."""
        return self.kind == PAGE

    @property
    def products(self) -> tuple[str, ...]:
        """The products spoken of."""
        return self.spec.products if self.product is None else (self.product,)

    def facts(self, kind: type[_Said]) -> list[_Said]:
        """Every fact of a kind, file by file."""
        return [fact for fact in self._by_kind.get(kind, ()) if isinstance(fact, kind)]

    def expects(self, sources: str) -> bool:
        """Whether an element with these sources should be found here."""
        # A dictionary is one file with everything in it.
        if not self.is_pages:
            return True
        return any(self.spec.pages_of(sources, product) & self.covered for product in self.products)

    def _speaks(self, name: str) -> bool:
        """Whether a source of the manifest was given and is part of this."""
        origin = self.spec.origins.get(name)
        if origin is None or name not in self.covered or origin.kind != self.kind:
            return False
        return not self.is_pages or self.spec.product_of_page(origin.id) == self.product

    def origin_of(self, location: Location) -> str:
        """The manifest's name of the source that a location is in; the page's own name where it has none."""
        # Every location that a finding has comes from a fact of one of these.
        reading = next(each for each in self.readings if each.file == location.file)
        for origin in self.spec.origins.values():
            if origin.kind == reading.kind and (reading.kind == DICTIONARY or origin.id == reading.page):
                return origin.name
        return reading.page or DICTIONARY

    def unread(self, said: Unread) -> Finding:
        """Something that could not be read."""
        text = f"could not read: {said.what}"
        return self.finding(UNREAD, "source", str(said.location), "unread", text, [said.location])

    def new(
        self,
        element: str,
        address: str,
        what: str,
        locations: Iterable[Location],
        *edits: Edit,
        says: str = "present",
        group: str = "",
    ) -> Finding:
        """Something that is here and not in the spec."""
        return self.finding(NEW, element, address, says, what, locations, edits, group=group)

    def gone(
        self,
        element: str,
        address: str,
        what: str,
        locations: Iterable[Location],
        *edits: Edit,
        says: str = "absent",
        expected_in: str = "",
        group: str = "",
    ) -> Finding:
        """Something that is in the spec and not here."""
        return self.finding(GONE, element, address, says, what, locations, edits, expected_in, group)

    def differs(
        self,
        element: str,
        address: str,
        says: str,
        what: str,
        locations: Iterable[Location],
        *edits: Edit,
        group: str = "",
    ) -> Finding:
        """Something that is here and in the spec, and not the same."""
        return self.finding(DIFFERENT, element, address, says, what, locations, edits, group=group)

    def finding(
        self,
        kind: str,
        element: str,
        address: str,
        says: str,
        what: str,
        locations: Iterable[Location],
        edits: Iterable[Edit] = (),
        expected_in: str = "",
        group: str = "",
    ) -> Finding:
        """A finding of this evidence; `expected_in` has the sources of what has no location here."""
        locations = tuple(dict.fromkeys(locations))
        sources = dict.fromkeys(self.origin_of(location) for location in locations)
        # What is gone has no location: the sources that should have it stand for one.
        if not sources and expected_in:
            sources = dict.fromkeys(name for name in expected_in.split(", ") if self._speaks(name))
        return Finding(
            kind=kind,
            element=element,
            address=address,
            says=says,
            what=what,
            locations=locations,
            edits=tuple(edits),
            evidence=self.name,
            products=self.products if self.is_pages and self.product else (),
            sources=tuple(sources),
            group=group,
        )


def evidence_of(given: Given, spec: SpecIndex, product: str | None) -> list[Evidence]:
    """The pages of each product, the dictionary, and the changelog."""
    covered = given.covers(spec)
    found = []
    for each in spec.products:
        readings = tuple(r for r in given.readings if r.kind == PAGE and r.product == each)
        if readings:
            found.append(Evidence(PAGE, each, readings, covered, spec))
    for kind, about in ((DICTIONARY, product), (CHANGELOG, None)):
        if readings := tuple(r for r in given.readings if r.kind == kind):
            found.append(Evidence(kind, about, readings, covered, spec))
    return found


def merged(findings: Iterable[Finding], products: tuple[str, ...]) -> list[Finding]:
    """Findings that say the same on several of the products as one."""
    found: dict[tuple[str, str, str, str, bool], Finding] = {}
    for each in findings:
        # Pages and the dictionary stay apart: each is kept on purpose, or followed, by itself.
        key = (each.kind, each.element, each.address, each.says, each.evidence == DICTIONARY)
        first = found.get(key)
        if first is None:
            found[key] = each
            continue
        found[key] = attrs.evolve(
            first,
            locations=tuple(dict.fromkeys((*first.locations, *each.locations))),
            products=tuple(dict.fromkeys((*first.products, *each.products))),
            sources=tuple(dict.fromkeys((*first.sources, *each.sources))),
            shown=tuple(dict.fromkeys((*first.shown, *each.shown))),
            edits=_joined((*first.edits, *each.edits)),
        )
    return [
        attrs.evolve(
            each,
            edits=tuple(
                # What holds on every product needs no restriction to some.
                edit.on(() if len(each.products) == len(products) else each.products)
                for edit in each.edits
            ),
        )
        for each in found.values()
    ]


def _joined(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Edits that write the same into the same file as one, with the sources of all.

    Of two that differ in what a text means alone, the one that says so counts.
    """
    found: dict[tuple[str, str, str], Edit] = {}
    for each in edits:
        key = (each.location.file, _MEANS.sub("", each.text), _MEANS.sub("", each.scoped))
        # The longer text is the one that has `means`: the keys are what remains without it.
        first = max(found.get(key, each), each, key=lambda edit: len(edit.text))
        found[key] = attrs.evolve(
            first, sources=tuple(dict.fromkeys((*found.get(key, each).sources, *each.sources)))
        )
    return tuple(found.values())
