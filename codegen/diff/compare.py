"""Puts the comparisons together, and leaves out what only repeats another finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from codegen.diff.comparisons import changelog, codes, examples, fields, members, messages, sessions
from codegen.diff.findings import Evidence, Finding
from codegen.diff.spec_index import CHANGELOG

# In the order in which findings of one kind are told: messages before what stands in them.
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
    """Every finding of every body of sources."""
    found: list[Finding] = []
    for each in evidence:
        # It has entries alone, of which nothing else speaks.
        if each.kind == CHANGELOG:
            found += changelog.compare(each)
            continue
        own = [finding for comparison in _COMPARISONS for finding in comparison(each)]
        found += _without_echoes(own)
    return found


def _without_echoes(findings: list[Finding]) -> Iterator[Finding]:
    """A message that is gone is told once, and not again as missing from the tables of messages."""
    absent = {
        finding.address for finding in findings if finding.element == "message" and finding.says == "absent"
    }
    for finding in findings:
        if finding.says != "not listed" or finding.address not in absent:
            yield finding
