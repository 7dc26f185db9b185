"""Apply the intended differences of `differences.yaml`, and report those that are outdated.

A difference accepts a finding, which is then not reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
import yaml

from codegen.diff.findings import ACCEPTABLE, STALE, Edit, Evidence, Finding, group_by
from codegen.diff.spec_index import DICTIONARY, PAGE, SpecIndex
from codegen.errors import Mistakes
from codegen.read.context import maps, text, words
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.documents.nodes import Map

ELEMENTS = ("member", "message", "field", "code", "session", "environment", "host", "version", "text", "page")
"""Kinds of element that a difference can be about; also the keys of an entry of `differences.yaml`."""


@attrs.frozen
class Difference:
    """One element of an entry, for one source."""

    source: str
    element: str
    address: str
    in_source: str
    evidence: str
    """Name of the evidence that the source belongs to, as in `Evidence.name`."""
    why: str
    location: Location


def read(spec: SpecIndex) -> list[Difference]:
    """Return all differences of the spec folder and of the folders that it extends.

    Raises:
        SpecError: an entry names no element or several, or a source that is neither a page nor a dictionary.
    """
    mistakes = Mistakes()
    differences: list[Difference] = []
    for note in spec.merged_spec.notes["differences"]:
        for entry in maps(note.get("differences")):
            differences += _read_entry(entry, spec, mistakes)
    mistakes.raise_any()
    return differences


def _read_entry(entry: Map, spec: SpecIndex, mistakes: Mistakes) -> list[Difference]:
    elements = [name for name in ELEMENTS if name in entry]
    # The key of an entry names its element, so exactly one is allowed.
    if len(elements) != 1:
        what = f"a difference names {' and '.join(elements) or 'no element'}"
        mistakes.add(entry.location, what, f"name exactly one of {', '.join(ELEMENTS)}")
        return []
    element, in_source, why = elements[0], text(entry, "in_source"), text(entry, "why")
    differences: list[Difference] = []
    for source, where in words(entry.get("source")):
        origin = spec.origins.get(source)
        if origin is None or origin.kind not in (PAGE, DICTIONARY):
            known = [name for name, each in spec.origins.items() if each.kind]
            what = f"`{source}` is not a page or dictionary in the manifest's `sources`"
            mistakes.add(where, what, did_you_mean(source, known))
            continue
        evidence = DICTIONARY if origin.kind == DICTIONARY else f"pages {spec.product_of_page(origin.id)}"
        differences += [
            Difference(source, element, address, in_source, evidence, why, location)
            for address, location in words(entry.get(element))
        ]
    return differences


def apply_differences(
    findings: Iterable[Finding], differences: Sequence[Difference], evidence: Iterable[Evidence]
) -> tuple[list[Finding], list[Finding]]:
    """Return two lists: the findings to report, including one for each outdated difference, and the accepted
    findings.

    A difference accepts a finding of its own source. If its source has no such finding, it accepts one of
    another page about the same product, because sections move between pages. It is outdated if its source
    was given and it accepted no finding.
    """
    by_key = group_by(differences, lambda each: (each.evidence, each.element, each.address, each.in_source))
    used: set[Difference] = set()
    remaining: list[Finding] = []
    accepted: list[Finding] = []
    # Two passes: a difference that accepts a finding of its own source accepts no finding of another page.
    undecided: list[tuple[Finding, list[Difference]]] = []
    for finding in findings:
        matching = by_key.get((finding.evidence, finding.element, finding.address, finding.in_source), [])
        # If several entries match one source, all count as used, so none is reported as outdated.
        same_source = [each for each in matching if each.source in finding.sources]
        if same_source:
            used.update(same_source)
            accepted.append(finding)
        else:
            undecided.append((finding, matching))
    used_for_other_page: set[Difference] = set()
    for finding, matching in undecided:
        unused = [each for each in matching if each not in used]
        used_for_other_page.update(unused)
        (accepted if unused else remaining).append(finding)
    # A difference cannot be outdated if its source was not given.
    covered = {name for each in evidence for name in each.covered}
    outdated = [
        each for each in differences if each not in used | used_for_other_page and each.source in covered
    ]
    return remaining + [_outdated_finding(each) for each in outdated], accepted


def text_of(findings: Iterable[Finding], source: str, why: str) -> str:
    """Return the text of a `differences.yaml` that lists the findings about one source as known, or an empty
    string if there are none.
    """
    kept: dict[tuple[str, str], dict[str, None]] = {}
    for each in findings:
        if each.kind in ACCEPTABLE and each.element in ELEMENTS:
            kept.setdefault((each.element, each.in_source), {})[each.address] = None
    entries = [
        {"source": source, element: list(addresses), "in_source": in_source, "why": why}
        for (element, in_source), addresses in kept.items()
    ]
    if not entries:
        return ""
    return yaml.safe_dump({"differences": entries}, sort_keys=False, allow_unicode=True, width=110)


def _outdated_finding(difference: Difference) -> Finding:
    address, in_source = difference.address, difference.in_source
    advice = f"remove {address} here, and correct the spec if it relied on the difference"
    edit = Edit(difference.location, advice)
    return Finding(
        kind=STALE,
        element=difference.element,
        address=address,
        in_source=in_source,
        what=f"difference: {difference.source} no longer states `{in_source}` for {address}",
        locations=(),
        edits=(edit,),
        evidence=difference.evidence,
        sources=(difference.source,),
        group=f"stale {difference.source}",
    )
