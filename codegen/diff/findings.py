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
ACCEPTABLE = (NEW, DIFFERENT, GONE)
"""Kinds of findings that an entry of `differences.yaml` may accept, and whose edits can be written."""

# Written by `advice.text` if a page gives the code that accompanies a text.
_MEANS_SETTING = re.compile(r"means: \{[^}]*\}, ")

_FactT = TypeVar("_FactT", bound=Fact)
_ItemT = TypeVar("_ItemT")
_Key = TypeVar("_Key", bound=Hashable)


@attrs.frozen
class Edit:
    """Text to write, and where to write it."""

    location: Location
    text: str
    scoped_text: str = ""
    """The text if the edit is for some products only; their names replace PRODUCTS."""
    sources: tuple[str, ...] = ()
    """Manifest names of the sources; they replace SOURCES in the text."""

    def for_products(self, products: tuple[str, ...]) -> Edit:
        """Return the edit for these products (all if empty), with its sources inserted."""
        text = (
            self.scoped_text.replace("PRODUCTS", yaml_words(products))
            if products and self.scoped_text
            else self.text
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
    """Products on whose pages it was found; empty for findings that are not from the pages of one product."""
    sources: tuple[str, ...] = ()
    """Manifest names of the sources that state it, or should state it."""
    group: str = ""
    """Findings with the same group are reported together; empty if reported separately."""
    passages: tuple[str, ...] = ()
    """The source's text at the locations, one passage each."""


def _catalogue() -> dict[str, tuple[Finding, str]]:
    """Return, by subject and name, the template of each finding and the template of its edit's text.

    Templates have placeholders in braces.
    """
    text = Path(__file__).with_name("findings.yaml").read_text(encoding="utf-8")
    templates = {}
    for subject_name, subject in yaml.safe_load(text).items():
        element, address = subject["element"], subject["address"]
        for name, (kind, in_source, what, *edit_text) in subject["findings"].items():
            template = Finding(kind, element, address, in_source, subject.get("label", "") + what, ())
            edit = subject.get("advice", "") + edit_text[0] if edit_text else ""
            templates[f"{subject_name} {name}"] = template, edit
    return templates


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
        return group_by((fact for reading in self.readings for fact in reading.facts), type)

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
        return group_by(self.facts(kind), key)

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
        # Every location in a finding belongs to a fact from these readings.
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


def group_by(items: Iterable[_ItemT], key: Callable[[_ItemT], _Key]) -> dict[_Key, list[_ItemT]]:
    """Group items by a key, in order of first occurrence."""
    groups: dict[_Key, list[_ItemT]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def evidence_of(given: GivenSources, spec: SpecIndex, product: str | None) -> list[Evidence]:
    """Return the evidence of each product's pages, of the dictionary, of the changelog, and of the guides."""
    covered = given.covered_sources(spec)
    evidence = []
    for page_product in spec.products:
        readings = tuple(
            reading for reading in given.readings if reading.kind == PAGE and reading.product == page_product
        )
        if readings:
            evidence.append(Evidence(PAGE, page_product, readings, covered, spec))
    for kind, evidence_product in ((DICTIONARY, product), (CHANGELOG, None), (GUIDE, None)):
        if readings := tuple(reading for reading in given.readings if reading.kind == kind):
            evidence.append(Evidence(kind, evidence_product, readings, covered, spec))
    return evidence


def merge_products(findings: Iterable[Finding], products: tuple[str, ...]) -> list[Finding]:
    """Merge equal findings about several products into one."""
    # A finding about pages is not merged with the same finding about the dictionary, because each of the two
    # is resolved separately.
    merged = merge_by(
        findings,
        lambda finding: (
            finding.kind,
            finding.element,
            finding.address,
            finding.in_source,
            finding.evidence == DICTIONARY,
        ),
    )
    # A finding about every product need not be restricted to products.
    scopes = (
        (finding, () if len(finding.products) == len(products) else finding.products) for finding in merged
    )
    return [
        attrs.evolve(finding, edits=tuple(edit.for_products(scope) for edit in finding.edits))
        for finding, scope in scopes
    ]


def merge_by(findings: Iterable[Finding], key: Callable[[Finding], Hashable]) -> list[Finding]:
    """Merge findings with the same key, combining their locations, products, sources and edits."""
    merged: list[Finding] = []
    for group in group_by(findings, key).values():
        lists: dict[str, Any] = {
            name: tuple(dict.fromkeys(item for finding in group for item in getattr(finding, name)))
            for name in ("locations", "products", "sources", "passages")
        }
        edits = _merge_edits(edit for finding in group for edit in finding.edits)
        merged.append(attrs.evolve(group[0], edits=edits, **lists) if len(group) > 1 else group[0])
    return merged


def _merge_edits(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Merge edits that write the same text into the same file, combining their sources.

    If two differ only in `means`, the one that has it is used.
    """
    merged: dict[tuple[str, str, str], Edit] = {}
    for edit in edits:
        key = (
            edit.location.file,
            _MEANS_SETTING.sub("", edit.text),
            _MEANS_SETTING.sub("", edit.scoped_text),
        )
        earlier = merged.get(key, edit)
        # Texts with equal keys differ only in `means`, so the longer one has it.
        longer = max(earlier, edit, key=lambda item: len(item.text))
        sources = dict.fromkeys((*earlier.sources, *edit.sources))
        merged[key] = attrs.evolve(longer, sources=tuple(sources))
    return tuple(merged.values())
