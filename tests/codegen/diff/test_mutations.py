"""Every change to a row, tag, name, flag, value, port or host of a source is reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from codegen.diff import compare, findings, passages, sources
from codegen.diff.documents import pages, quickfix
from codegen.diff.sources import GivenSources, Reading
from codegen.diff.spec_index import PAGE, SpecIndex
from tests.codegen.diff.mutations import Mutation, of_dictionary, of_page
from tests.codegen.diff.pier_dialect import PAGES, Scratch


class Trial:
    """The sources, with one file changed at a time."""

    def __init__(self, given: GivenSources, spec: SpecIndex, product: str | None) -> None:
        self._given = given
        self._spec = spec
        self._product = product
        self.reported_as_facts = 0
        """The number of changes reported as facts."""

    def unnoticed(self) -> Iterator[tuple[str, Mutation]]:
        """Yield the changes without a finding, each with the name of its page or dictionary."""
        for reading in self._given.readings:
            for mutation in of_page(reading.text) if reading.kind == PAGE else of_dictionary(reading.text):
                if not self._findings(reading, mutation.text):
                    yield reading.page or Path(reading.file).stem, mutation

    def _findings(self, reading: Reading, text: str) -> list[findings.Finding]:
        if reading.kind == PAGE:
            facts = pages.read(text, reading.file, self._spec.vocabulary)
        else:
            facts = quickfix.read(text.encode(), reading.file)
        changed = attrs.evolve(reading, text=text, facts=tuple(facts))
        readings = tuple(changed if item is reading else item for item in self._given.readings)
        evidence = findings.evidence_of(
            attrs.evolve(self._given, readings=readings), self._spec, self._product
        )
        found = compare.compare(evidence)
        self.reported_as_facts += bool(found)
        return found or list(passages.compare(evidence, found, self._spec))


def descriptions(unnoticed: Iterable[tuple[str, Mutation]]) -> list[tuple[str, int, str]]:
    return [(page, mutation.line, mutation.description) for page, mutation in unnoticed]


def test_every_change_to_a_page_is_noticed(scratch: Scratch) -> None:
    spec = SpecIndex(scratch.spec)
    given = sources.gather([PAGES], spec, None)
    count = sum(1 for reading in given.readings for _ in of_page(reading.text))
    assert count > 350
    passages.write(given.readings, spec)
    trial = Trial(given, SpecIndex(scratch.spec), None)
    assert descriptions(trial.unnoticed()) == []
    # Most changes are reported as facts, the others as unreviewed text.
    assert trial.reported_as_facts > 0.9 * count


def test_every_change_to_a_dictionary_is_noticed(scratch: Scratch) -> None:
    spec = SpecIndex(scratch.spec)
    given = sources.gather([scratch.dictionary], spec, "freight")
    count = sum(1 for reading in given.readings for _ in of_dictionary(reading.text))
    assert count > 300
    assert descriptions(Trial(given, spec, "freight").unnoticed()) == []
