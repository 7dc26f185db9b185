"""What is left to do: a finding for each thing that a source says and the spec does not, or the reverse."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs
import yaml

from codegen.diff.facts import Fact, MentionSaid, Unread
from codegen.diff.sources import Given, Reading
from codegen.diff.spec_index import CHANGELOG, DICTIONARY, PAGE, SpecIndex
from kalshi_fix_adapters.documents.mistakes import Location

NEW, GONE, DIFFERENT = "new", "gone", "different"
UNREAD, STALE, UNREVIEWED = "unread", "stale", "unreviewed"

# What `advice.text` writes where a page says which code comes with a text.
_MEANS = re.compile(r"means: \{[^}]*\}, ")

_Said = TypeVar("_Said", bound=Fact)
_Key = TypeVar("_Key", bound=Hashable)


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
class _Texts:
    """The texts of one kind of finding, whose words in braces are values."""

    kind: str
    element: str
    address: str
    says: str
    what: str
    write: str


def _catalogue() -> dict[str, _Texts]:
    """Every kind of finding, by what it is about and its own name."""
    text = Path(__file__).with_name("findings.yaml").read_text(encoding="utf-8")
    found = {}
    for about, subject in yaml.safe_load(text).items():
        for name, (kind, says, what, *write) in subject["findings"].items():
            found[f"{about} {name}"] = _Texts(
                kind=kind,
                element=subject["element"],
                address=subject["address"],
                says=says,
                what=subject.get("label", "") + what,
                write=subject.get("advice", "") + write[0] if write else "",
            )
    return found


_TEXTS = _catalogue()


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

    def by(self, kind: type[_Said], key: Callable[[_Said], _Key]) -> dict[_Key, list[_Said]]:
        """Every fact of a kind, grouped by a key in the order in which the keys first occur."""
        return grouped(self.facts(kind), key)

    def mentions(self, kind: str, known: Container[str]) -> dict[str, list[MentionSaid]]:
        """What running text mentions and is not known, each with its mentions."""
        mentions = self.by(MentionSaid, lambda each: each.value if each.kind == kind else "")
        return {value: each for value, each in mentions.items() if value and value not in known}

    def expects(self, sources: str) -> bool:
        """Whether an element with these sources should be found here."""
        # A dictionary is one file with everything in it.
        if not self.is_pages:
            return True
        return any(self.spec.pages_of(sources, product) & self.covered for product in self.products)

    def speaks(self, name: str) -> bool:
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

    def report(self, name: str, facts: Fact | Iterable[Fact], at: Location, /, **values: Any) -> Finding:
        """Make a finding.

        Args:
            name: What it is about and which finding of it, in `findings.yaml`: `member default`.
            facts: What the source states; empty for an element that it does not have.
            at: Where the spec has the element, or would have it.
            values: The values that its texts name, and three that no text does: `edits`, what to write where
                the catalogue does not say; `expected_in`, the sources of an element of the spec, which stand
                for a location where it is gone; `group`, by which findings are reported together.
        """
        texts = _TEXTS[name]
        locations = dict.fromkeys(each.location for each in ([facts] if isinstance(facts, Fact) else facts))
        sources = dict.fromkeys(map(self.origin_of, locations))
        expected = filter(self.speaks, values.get("expected_in", "").split(", "))
        edits = [Edit(at, texts.write.format(**values))] if texts.write else values.get("edits", ())
        return Finding(
            kind=texts.kind,
            element=texts.element,
            address=texts.address.format(**values),
            says=texts.says.format(**values),
            what=texts.what.format(**values),
            locations=tuple(locations),
            edits=tuple(edits),
            evidence=self.name,
            products=self.products if self.is_pages and self.product else (),
            sources=tuple(sources or expected),
            group=values.get("group", ""),
        )

    def unread(self) -> Iterator[Finding]:
        """Everything that could not be read."""
        for fact in self.facts(Unread):
            where = fact.location
            yield self.report("source unread", fact, where, address=str(where), what=fact.what)


def grouped(facts: Iterable[_Said], key: Callable[[_Said], _Key]) -> dict[_Key, list[_Said]]:
    """Facts grouped by a key, in the order in which the keys first occur."""
    found: dict[_Key, list[_Said]] = {}
    for fact in facts:
        found.setdefault(key(fact), []).append(fact)
    return found


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
    # Pages and the dictionary stay apart: each is kept on purpose, or followed, by itself.
    found = joined(findings, lambda e: (e.kind, e.element, e.address, e.says, e.evidence == DICTIONARY))
    # What holds on every product needs no restriction to some.
    scopes = ((each, () if len(each.products) == len(products) else each.products) for each in found)
    return [attrs.evolve(each, edits=tuple(edit.on(scope) for edit in each.edits)) for each, scope in scopes]


def joined(findings: Iterable[Finding], key: Callable[[Finding], Hashable]) -> list[Finding]:
    """Findings with the same key as one, with the locations, products, sources and edits of all."""
    found: dict[Hashable, list[Finding]] = {}
    for each in findings:
        found.setdefault(key(each), []).append(each)
    return [_one(same) if len(same) > 1 else same[0] for same in found.values()]


def _one(findings: Sequence[Finding]) -> Finding:
    return attrs.evolve(
        findings[0],
        locations=tuple(dict.fromkeys(each for finding in findings for each in finding.locations)),
        products=tuple(dict.fromkeys(each for finding in findings for each in finding.products)),
        sources=tuple(dict.fromkeys(each for finding in findings for each in finding.sources)),
        shown=tuple(dict.fromkeys(each for finding in findings for each in finding.shown)),
        edits=_joined(each for finding in findings for each in finding.edits),
    )


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
