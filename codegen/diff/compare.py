"""Run all comparisons and drop findings that only repeat another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from codegen.diff.comparisons import changelog, codes, examples, fields, members, messages, sessions
from codegen.diff.findings import Evidence, Finding
from codegen.diff.spec_index import CHANGELOG

# Order in which findings of one kind are reported: messages before their members.
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
    found: list[Finding] = []
    for each in evidence:
        # The changelog contains only entries, which no other comparison reads.
        if each.kind == CHANGELOG:
            found += changelog.compare(each)
            continue
        own = [finding for comparison in _COMPARISONS for finding in comparison(each)]
        found += _without_duplicates(own)
    return found


def _without_duplicates(findings: list[Finding]) -> Iterator[Finding]:
    """Drop "not listed" findings of messages that are reported as absent."""
    absent = {
        finding.address for finding in findings if finding.element == "message" and finding.says == "absent"
    }
    for finding in findings:
        if finding.says != "not listed" or finding.address not in absent:
            yield finding
