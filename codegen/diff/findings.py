"""Findings: one for each difference between a source and the spec, in either direction."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import attrs
import yaml

from codegen.diff.facts import Fact, MentionFact, UnreadableFact
from codegen.diff.sources import GivenSources, Reading
from codegen.diff.spec_index import CHANGELOG, DICTIONARY, GUIDE, PAGE, SpecIndex
from kalshi_fix_adapters.documents.mistakes import Location

NEW, GONE, DIFFERENT = "new", "gone", "different"
UNREAD, STALE, UNREVIEWED = "unread", "stale", "unreviewed"
KEEPABLE = (NEW, DIFFERENT, GONE)
"""Kinds of findings that an entry of `differences.yaml` may settle, and whose edits can be written."""

# Written by `advice.text` if a page gives the code that accompanies a text.
_MEANS_SETTING = re.compile(r"means: \{[^}]*\}, ")

_FactT = TypeVar("_FactT", bound=Fact)
_ItemT = TypeVar("_ItemT")
_Key = TypeVar("_Key", bound=Hashable)


@attrs.frozen
class Edit:
    """Text to write, and the location to write it at."""

    location: Location
    text: str
    scoped: str = ""
    """The text if the edit is for some products only; their names replace PRODUCTS."""
    sources: tuple[str, ...] = ()
    """Manifest names of the sources; they replace SOURCES in the text."""

    def on(self, products: tuple[str, ...]) -> Edit:
        """Return the edit for these products (all if empty), with its sources inserted."""
        text = (
            self.scoped.replace("PRODUCTS", yaml_words(products)) if products and self.scoped else self.text
        )
        return Edit(self.location, text.replace("SOURCES", yaml_words(self.sources)))

    def __str__(self) -> str:
        return f"{self.location}: {self.text}"


def yaml_words(words: Sequence[str]) -> str:
    """Format a word or a list of words as YAML on one line."""
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


@attrs.frozen
class Finding:
    """One difference to resolve."""

    kind: str
    """new, gone, different, unread, stale or unreviewed."""
    element: str
    """member, message, field, code, session, host, version, entry, text, page or source."""
    address: str
    """Name of the element: `Logon.HeartBtInt`, `OrdStatus=5`, `KalshiRT`."""
    in_source: str
    """The source's version of the element, such as `absent` or `type CHAR`; also in `differences.yaml`."""
    what: str
    """The finding as a sentence."""
    locations: tuple[Location, ...]
    edits: tuple[Edit, ...] = ()
    evidence: str = ""
    """Evidence that the finding belongs to, as in `Evidence.name`."""
    products: tuple[str, ...] = ()
    """Products it was found on; empty for findings that are not from the pages of one product."""
    sources: tuple[str, ...] = ()
    """Manifest names of the sources that state it, or should state it."""
    group: str = ""
    """Findings with the same group are reported together; empty if reported separately."""
    shown: tuple[str, ...] = ()
    """The source's text at the locations, one passage each."""


def _catalogue() -> dict[str, tuple[Finding, str]]:
    """Return the template of each finding, and that of its edit's text, by the finding's subject and name.

    Templates have placeholders in braces.
    """
    text = Path(__file__).with_name("findings.yaml").read_text(encoding="utf-8")
    found = {}
    for about, subject in yaml.safe_load(text).items():
        element, address = subject["element"], subject["address"]
        for name, (kind, in_source, what, *write) in subject["findings"].items():
            template = Finding(kind, element, address, in_source, subject.get("label", "") + what, ())
            edit = subject.get("advice", "") + write[0] if write else ""
            found[f"{about} {name}"] = template, edit
    return found


_TEMPLATES = _catalogue()


@attrs.frozen
class Evidence:
    """Sources that are compared together: the pages about a product, the dictionary, the changelog, or the
    guides."""

    kind: str
    product: str | None
    readings: tuple[Reading, ...]
    covered: frozenset[str]
    """Manifest names of the sources that were given."""
    spec: SpecIndex

    @cached_property
    def _by_kind(self) -> dict[type[Fact], list[Fact]]:
        return grouped((fact for reading in self.readings for fact in reading.facts), type)

    @property
    def name(self) -> str:
        """`pages margin` and similar; just the kind for the dictionary, the changelog and the guides."""
        return f"pages {self.product}" if self.kind == PAGE else self.kind

    @property
    def is_pages(self) -> bool:
        """Whether these are pages."""
        return self.kind == PAGE

    @property
    def products(self) -> tuple[str, ...]:
        """Products that the evidence covers."""
        return self.spec.products if self.product is None else (self.product,)

    def facts(self, kind: type[_FactT]) -> list[_FactT]:
        """Return all facts of a kind, file by file."""
        return [fact for fact in self._by_kind.get(kind, ()) if isinstance(fact, kind)]

    def facts_by(self, kind: type[_FactT], key: Callable[[_FactT], _Key]) -> dict[_Key, list[_FactT]]:
        """Return all facts of a kind, grouped by a key in order of first occurrence."""
        return grouped(self.facts(kind), key)

    def mentions(self, kind: str, known: Container[str]) -> dict[str, list[MentionFact]]:
        """Return the unknown values mentioned in running text, with their mentions."""
        mentions = self.facts_by(MentionFact, lambda each: each.value if each.kind == kind else "")
        return {value: each for value, each in mentions.items() if value and value not in known}

    def expects(self, sources: str) -> bool:
        """Return whether an element with these sources must be in this evidence."""
        # A dictionary is one file with all elements.
        if not self.is_pages:
            return True
        return any(self.spec.pages_of(sources, product) & self.covered for product in self.products)

    def has_source(self, name: str) -> bool:
        """Return whether one of the manifest's sources was given and is part of this evidence."""
        origin = self.spec.origins.get(name)
        if origin is None or name not in self.covered or origin.kind != self.kind:
            return False
        return not self.is_pages or self.spec.product_of_page(origin.id) == self.product

    def origin_of(self, location: Location) -> str:
        """Return the manifest name of the source that contains a location, or the page's own name."""
        # Every location in a finding is that of a fact from these readings.
        reading = next(each for each in self.readings if each.file == location.file)
        for origin in self.spec.origins.values():
            if origin.kind == reading.kind and (reading.kind == DICTIONARY or origin.id == reading.page):
                return origin.name
        return reading.page or DICTIONARY

    def report(self, name: str, facts: Fact | Iterable[Fact], at: Location, /, **values: Any) -> Finding:
        """Return a finding.

        Args:
            name: Its subject and name in `findings.yaml`: `member default`.
            facts: Facts of the source; empty for an element that it does not have.
            at: Location of the element in the spec, or where it would be added.
            values: Values of the placeholders. Three other values are possible: `edits`, if the catalogue has
                no text to write; `expected_in`, the sources of an element of the spec, used if `facts` is
                empty; and `group`, the label of findings that are reported together.
        """
        template, edit = _TEMPLATES[name]
        locations = dict.fromkeys(each.location for each in ([facts] if isinstance(facts, Fact) else facts))
        sources = dict.fromkeys(map(self.origin_of, locations))
        expected = filter(self.has_source, values.get("expected_in", "").split(", "))
        edits = [Edit(at, edit.format(**values))] if edit else values.get("edits", ())
        return attrs.evolve(
            template,
            address=template.address.format(**values),
            in_source=template.in_source.format(**values),
            what=template.what.format(**values),
            locations=tuple(locations),
            edits=tuple(edits),
            evidence=self.name,
            products=self.products if self.is_pages and self.product else (),
            sources=tuple(sources or expected),
            group=values.get("group", ""),
        )

    def unreadable(self) -> Iterator[Finding]:
        """Yield a finding for each passage that could not be parsed."""
        for fact in self.facts(UnreadableFact):
            where = fact.location
            yield self.report("source unread", fact, where, address=str(where), what=fact.what)


def grouped(items: Iterable[_ItemT], key: Callable[[_ItemT], _Key]) -> dict[_Key, list[_ItemT]]:
    """Group items by a key, in order of first occurrence."""
    found: dict[_Key, list[_ItemT]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def evidence_of(given: GivenSources, spec: SpecIndex, product: str | None) -> list[Evidence]:
    """Return the evidence of each product's pages, of the dictionary, of the changelog, and of the guides."""
    covered = given.covered_sources(spec)
    found = []
    for each in spec.products:
        readings = tuple(r for r in given.readings if r.kind == PAGE and r.product == each)
        if readings:
            found.append(Evidence(PAGE, each, readings, covered, spec))
    for kind, about in ((DICTIONARY, product), (CHANGELOG, None), (GUIDE, None)):
        if readings := tuple(r for r in given.readings if r.kind == kind):
            found.append(Evidence(kind, about, readings, covered, spec))
    return found


def merged(findings: Iterable[Finding], products: tuple[str, ...]) -> list[Finding]:
    """Merge equal findings on several products into one."""
    # Findings about pages and about the dictionary are not merged, because each is resolved separately.
    found = joined(findings, lambda e: (e.kind, e.element, e.address, e.in_source, e.evidence == DICTIONARY))
    # A finding on every product needs no restriction to products.
    scopes = ((each, () if len(each.products) == len(products) else each.products) for each in found)
    return [attrs.evolve(each, edits=tuple(edit.on(scope) for edit in each.edits)) for each, scope in scopes]


def joined(findings: Iterable[Finding], key: Callable[[Finding], Hashable]) -> list[Finding]:
    """Merge findings with the same key, combining their locations, products, sources and edits."""
    found: list[Finding] = []
    for same in grouped(findings, key).values():
        lists: dict[str, Any] = {
            name: tuple(dict.fromkeys(item for each in same for item in getattr(each, name)))
            for name in ("locations", "products", "sources", "shown")
        }
        edits = _joined(edit for each in same for edit in each.edits)
        found.append(attrs.evolve(same[0], edits=edits, **lists) if len(same) > 1 else same[0])
    return found


def _joined(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Merge edits that write the same text into the same file, combining their sources.

    If two differ only in `means`, the one that has it is used.
    """
    found: dict[tuple[str, str, str], Edit] = {}
    for each in edits:
        key = (each.location.file, _MEANS_SETTING.sub("", each.text), _MEANS_SETTING.sub("", each.scoped))
        earlier = found.get(key, each)
        # Texts with equal keys differ only in `means`, so the longer one has it.
        chosen = max(earlier, each, key=lambda edit: len(edit.text))
        sources = dict.fromkeys((*earlier.sources, *each.sources))
        found[key] = attrs.evolve(chosen, sources=tuple(sources))
    return tuple(found.values())
