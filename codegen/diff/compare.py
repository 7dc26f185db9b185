"""Run all comparisons, and report the sources that are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from codegen.diff.comparisons import changelog, codes, examples, fields, members, messages, sessions
from codegen.diff.findings import Evidence, Finding
from codegen.diff.sources import GivenSources
from codegen.diff.spec_index import CHANGELOG, GUIDE, SpecIndex
from kalshi_fix_adapters.documents.mistakes import Location

# Findings of one kind are reported in this order: messages before their members.
_COMPARISONS = (
    messages.compare,
    members.compare,
    fields.compare,
    codes.compare,
    examples.compare,
    sessions.compare,
    changelog.versions,
)


def compare(evidence: Iterable[Evidence]) -> list[Finding]:
    """Return the findings of all evidence."""
    findings: list[Finding] = []
    for each in evidence:
        # No other comparison reads the entries of a changelog. A guide contains only prose, which `passages`
        # compares.
        if each.kind in (CHANGELOG, GUIDE):
            findings += changelog.compare(each) if each.kind == CHANGELOG else each.unreadable()
            continue
        findings += [finding for comparison in _COMPARISONS for finding in comparison(each)]
    return findings


def missing_sources(given: GivenSources, spec: SpecIndex, *, partial: bool) -> Iterator[Finding]:
    """Yield the sources of the manifest that were not given (unless `partial` is set), and page folders that
    belong to no product.
    """
    no_evidence = Evidence("", None, (), frozenset(), spec)
    covered = given.covered_sources(spec)
    for origin in () if partial else spec.origins.values():
        if origin.kind and origin.name not in covered:
            values = {"address": origin.name, "kind": origin.kind, "id": origin.id}
            yield no_evidence.report("source not given", (), origin.location, group="not read", **values)
    for folder in sorted({folder for folder, _ in given.unknown_folders}):
        locations = tuple(Location(file, 1) for other, file in given.unknown_folders if other == folder)
        products = spec.manifest_location("products")
        finding = no_evidence.report("source folder", (), products, address=folder, count=len(locations))
        yield attrs.evolve(finding, locations=locations)
