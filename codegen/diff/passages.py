"""Passages of prose, which only a person can compare with the spec.

`reviewed.yaml` contains a fingerprint of every reviewed passage, which reveals new, changed and removed ones;
the text is not stored.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from codegen.diff.documents import changelog, markdown
from codegen.diff.documents.headings import NAMED_MSG_TYPE, NUMBER, date_in
from codegen.diff.documents.inline import fingerprint, plain
from codegen.diff.facts import Fact
from codegen.diff.findings import Evidence, Finding, group_by
from codegen.diff.sources import Reading
from codegen.diff.spec_index import CHANGELOG, DICTIONARY, GUIDE, PAGE, SpecIndex
from codegen.read import bounded_xml
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.nodes import Scalar

FILE = "reviewed.yaml"
_HEAD = """\
# Fingerprints of the prose of the venue's documents, as of the last review against this spec. Written by
# `python -m codegen diff --reviewed SOURCE…`, never by hand; the text itself is not kept.
"""
# The first of these keys that a page has is used, so the keys with the most exact dates are listed first.
_DATE_KEYS = ("lastmod", "last_modified", "updated", "date")
"""Front matter keys with the date of the last change."""
_MAX_TEXT = 400
"""Maximum length in characters of a passage in the report."""
_MIN_PAGES = 2
"""A passage that is new on at least this many pages is reported once for all of them."""
# Unrelated sentences share some words, too, but are less similar than this.
_MIN_SIMILARITY = 0.4
"""Minimum similarity, from 0 to 1, of a passage and the one it replaces."""
# The time is quadratic in the number of words, for each old passage of the page.
_MAX_WORDS = 400
"""Maximum number of words of a passage that is compared with the old ones."""
_CONTEXT_WORDS = 4
"""Words of context shown around a difference."""
_WIDTH = 111
"""Line length of the file: twelve fingerprints."""


@attrs.frozen
class Passage:
    """A heading, paragraph, list item, table row or example, or a comment of a dictionary."""

    line: int
    last_line: int
    fingerprint: str
    """Eight hexadecimal digits."""
    text: str = attrs.field(repr=False)


def passages_of(reading: Reading, spec: SpecIndex) -> list[Passage]:
    """Return the passages of a file in order."""
    if reading.kind != DICTIONARY:
        # The entries of a changelog have separate fingerprints, in `changelog.yaml`.
        text = reading.text
        if reading.kind == CHANGELOG:
            text = changelog.without_entries(text, spec.vocabulary.entry)
        return [_passage(*each) for each in _passages_of_page(text)]
    document = bounded_xml.parse(reading.text.encode(), reading.file)
    return [_passage(line, line, text) for line, text in document.comments]


def _passages_of_page(text: str) -> Iterator[tuple[int, int, str] | tuple[int, int, str, str]]:
    """Yield the first line, last line and text of each passage, and the displayed text if it differs.

    The text of prose begins with the heading above it, so the same sentence under another message differs.
    """
    above: list[tuple[int, str]] = []
    for block in markdown.blocks(text):
        match block:
            case markdown.Heading(line, level, words):
                # The heading's level and number are omitted, so a page that is split or reordered keeps the
                # same passages.
                heading = NUMBER.sub("", plain(words))
                above = [*(each for each in above if each[0] < level), (level, heading)]
                yield line, line, heading
            case markdown.Paragraph(line, words) | markdown.Item(line, _, words):
                yield line, line, f"{_headings_above(above)}{plain(words)}", plain(words)
            case markdown.Table(header, rows):
                # The cells are sorted by column name, so that reordering the columns does not change a row.
                order = sorted(range(len(header.cells)), key=lambda at: plain(header.cells[at]))
                for row in (header, *rows):
                    cells = [plain(cell) for cell in row.cells]
                    yield row.line, row.line, "|".join(cells[at] for at in order), " | ".join(cells)
            case markdown.Code(line, _, lines):
                yield line, line + len(lines) + 1, "\n".join(each.rstrip() for each in lines)
            # The content of a component consists of separate blocks.
            case markdown.Component(line, _, attributes, _) if "title" in attributes:
                yield line, line, plain(attributes["title"])
            case markdown.Component(line, name, attributes, empty=True):
                yield line, line, " ".join([f"<{name}", *(f"{key}={attributes[key]}" for key in attributes)])


def _headings_above(above: Sequence[tuple[int, str]]) -> str:
    """Return the headings above a passage, joined innermost first, up to the one that names a message; only
    the innermost heading if none names a message."""
    headings: list[str] = []
    for _, heading in reversed(above):
        messages = NAMED_MSG_TYPE.findall(heading)
        headings.append(",".join(messages) or heading)
        if messages:
            return "/".join(headings)
    return headings[0] if headings else ""


def _passage(line: int, last_line: int, text: str, shown: str = "") -> Passage:
    # Line ends are kept: they are significant in code blocks.
    words = re.sub(r"[ \t]+", " ", text).strip()
    return Passage(line, last_line, fingerprint(words), shown or words)


def key_of(reading: Reading) -> str:
    """Return the key of a file in `reviewed.yaml`: the page's name, or `dictionary` and the file's name."""
    return reading.page or f"{DICTIONARY} {Path(reading.file).stem}"


def reviewed(spec: SpecIndex) -> dict[str, list[str]]:
    """Return the fingerprints of each page in the spec folder's `reviewed.yaml`."""
    fingerprints_by_key: dict[str, list[str]] = {}
    for note in spec.merged_spec.notes["reviewed"]:
        for key, node in note.mapping("reviewed").entries.items():
            if isinstance(node, Scalar):
                fingerprints_by_key[key] = node.text.split()
    return fingerprints_by_key


def compare(
    evidence: Iterable[Evidence],
    findings: Iterable[Finding],
    spec: SpecIndex,
    against: Iterable[Reading] = (),
) -> Iterator[Finding]:
    """Yield findings about passages that were not reviewed in their current form, and about reviewed passages
    that are gone. Lines that already have a finding are left out.

    A passage that moved to another page is unchanged, and one that is new on several pages is reported once.
    Yields nothing without a `reviewed.yaml` in the spec. `against` contains the previous versions of the
    pages, which are used to show the words that differ.
    """
    all_recorded = reviewed(spec)
    reported = {location for finding in findings for location in finding.locations}
    changes: list[_Change] = []
    for each in evidence if all_recorded else ():
        passages = [passages_of(reading, spec) for reading in each.readings]
        given = dict(zip(map(key_of, each.readings), passages, strict=True))
        recorded = {key: fingerprints for key, fingerprints in all_recorded.items() if _belongs_to(each, key)}
        # `covered`: the given pages, and the pages missing from a folder that was given completely. Passages
        # of all other pages count as present, so none of them is reported as gone.
        covered = {*given, *(each.spec.origins[name].id for name in each.covered)}
        # A dictionary under a new file name replaces the old one.
        if not each.is_pages and not given.keys() & recorded.keys():
            covered |= recorded.keys()
        # Passages are counted across all pages, so one that moves to another page is unchanged.
        recorded_counts: Counter[str] = Counter()
        current_counts: Counter[str] = Counter()
        for key, fingerprints in recorded.items():
            recorded_counts.update(fingerprints)
            if key not in covered:
                current_counts.update(fingerprints)
        for given_passages in given.values():
            current_counts.update(passage.fingerprint for passage in given_passages)
        added_and_removed = (current_counts - recorded_counts, recorded_counts - current_counts)
        for reading, listed in zip(each.readings, passages, strict=True):
            changes += _changes(
                each, reading, listed, recorded.get(key_of(reading), []), added_and_removed, reported
            )
    old = {key_of(reading): passages_of(reading, spec) for reading in against}
    yield from _repeated_passages(changes)
    for change in changes:
        yield from change.findings(old.get(key_of(change.reading), []))


def _belongs_to(evidence: Evidence, key: str) -> bool:
    """Return whether a reviewed file has the kind and product of this evidence."""
    kind = DICTIONARY if key.startswith(DICTIONARY) else evidence.spec.kinds.get(key, PAGE)
    if kind == PAGE == evidence.kind:
        return (evidence.spec.product_of_page(key) or "") == evidence.product
    return kind == evidence.kind


@attrs.define(eq=False)
class _Change:
    """Passages of a file that differ from the reviewed ones."""

    evidence: Evidence
    reading: Reading
    fresh: list[Passage]
    """New passages that no other finding reports."""
    gone: int
    """Number of reviewed passages that are missing, not counting those that have moved."""
    preceding_line: int
    """Line of the passage before the change."""
    new_count: int
    """Number of new passages, including those reported by a finding."""

    def findings(self, old: Sequence[Passage]) -> Iterator[Finding]:
        """Yield the change as a finding; yield none if other findings report all of it."""
        if self.fresh:
            first, last = self.fresh[0], self.fresh[-1]
            lines = f"lines {first.line} to {last.last_line}" if len(self.fresh) > 1 else f"line {first.line}"
            word = "changed" if self.gone else "new"
            shown = tuple(_word_difference(each, old) for each in self.fresh)
            yield self.finding("fresh", first.line, shown, word=word, lines=lines)
        # A missing passage for which there is a new one is a change, and is reported with the new one.
        elif self.gone > self.new_count:
            missing = self.gone - self.new_count
            count = f"{missing} passage{'s' if missing > 1 else ''}"
            yield self.finding("gone", self.preceding_line, (), count=count)

    def finding(self, name: str, line: int, shown: tuple[str, ...], /, **values: Any) -> Finding:
        """Return a finding about text that begins on a line of the file."""
        at = Location(f"{self.evidence.spec.folder.as_posix()}/{FILE}", 1)
        fact = Fact(Location(self.reading.file, line))
        values = {"key": key_of(self.reading), "line": line, **values}
        finding = self.evidence.report(f"passages {name}", fact, at, group="unreviewed", **values)
        return attrs.evolve(finding, passages=shown)


def _repeated_passages(changes: Sequence[_Change]) -> Iterator[Finding]:
    """Yield a finding for each passage that is new on several pages, and remove it from their changes."""
    fresh = ((change, passage) for change in changes for passage in change.fresh)
    for text, occurrences in group_by(fresh, lambda each: each[1].text).items():
        if len({key_of(change.reading) for change, _ in occurrences}) < _MIN_PAGES:
            continue
        for change, passage in occurrences:
            change.fresh.remove(passage)
        locations = tuple(Location(change.reading.file, passage.line) for change, passage in occurrences)
        first, passage = occurrences[0]
        key, shown = f"text {fingerprint(text)}", (_shortened(text),)
        finding = first.finding("repeated", passage.line, shown, key=key, count=len(locations))
        yield attrs.evolve(finding, locations=locations)


def _changes(
    evidence: Evidence,
    reading: Reading,
    passages: list[Passage],
    recorded: list[str],
    added_and_removed: tuple[Counter[str], Counter[str]],
    reported: set[Location],
) -> Iterator[_Change]:
    """Yield the differences between the passages of a file and the reviewed ones, whose fingerprints are
    `recorded`.

    `added_and_removed` contains two counters across all pages: of added passages, and of removed ones.
    """
    added, removed = added_and_removed
    # autojunk would ignore fingerprints that are frequent on a long page. Sequences are compared rather than
    # sets, because a passage that occurs twice counts twice, and the order shows which one is new.
    current = [passage.fingerprint for passage in passages]
    matcher = difflib.SequenceMatcher(None, recorded, current, autojunk=False)
    for operation, i1, i2, j1, j2 in matcher.get_opcodes():
        if operation == "equal":
            continue
        # A passage that differs here, but is not among the added passages of all pages, has only moved.
        fresh = [each for each in passages[j1:j2] if _decrement(added, each.fingerprint)]
        gone = sum(_decrement(removed, each) for each in recorded[i1:i2])
        # Table rows with a finding are reported by that finding.
        unreported = [each for each in fresh if Location(reading.file, each.line) not in reported]
        yield _Change(evidence, reading, unreported, gone, passages[j1 - 1].line if j1 else 1, len(fresh))


def _decrement(counts: Counter[str], item: str) -> bool:
    """Decrement the count of an item; return whether it was above 0."""
    counts[item] -= 1
    return counts[item] >= 0


def _word_difference(passage: Passage, old: Sequence[Passage]) -> str:
    """Return a new passage, marking the words that differ from the passage it replaces, if that is known."""
    words = passage.text.split()
    closest_words, best_ratio = [], _MIN_SIMILARITY
    for each in old if len(words) <= _MAX_WORDS else ():
        matcher = difflib.SequenceMatcher(None, each.text.split(), words, autojunk=False)
        # The first two ratios are cheap upper bounds of the third. `all` stops at the first one that does not
        # exceed the best ratio so far, before a more expensive one is computed.
        ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
        if each.fingerprint != passage.fingerprint and all(ratio() > best_ratio for ratio in ratios):
            closest_words, best_ratio = each.text.split(), matcher.ratio()
    if not closest_words:
        return _shortened(passage.text)
    shown: list[str] = []
    for operation, i1, i2, j1, j2 in difflib.SequenceMatcher(
        None, closest_words, words, autojunk=False
    ).get_opcodes():
        if operation == "equal":
            context = words[j1:j2]
            if len(context) > 2 * _CONTEXT_WORDS:
                context = [*context[:_CONTEXT_WORDS], "…", *context[-_CONTEXT_WORDS:]]
            shown += context
            continue
        shown += [f"[-{' '.join(closest_words[i1:i2])}-]"] if i1 < i2 else []
        shown += [f"{{+{' '.join(words[j1:j2])}+}}"] if j1 < j2 else []
    return " ".join(shown)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]} …"


def write(readings: Sequence[Reading], spec: SpecIndex) -> Path:
    """Record the current version of these sources as reviewed, with the newest of their dates."""
    recorded = {key: " ".join(fingerprints) for key, fingerprints in reviewed(spec).items()}
    # A dictionary is recorded under its file name, which contains the edition, so the entry of the previous
    # edition is removed.
    if any(each.kind == DICTIONARY for each in readings):
        recorded = {
            key: fingerprints for key, fingerprints in recorded.items() if not key.startswith(DICTIONARY)
        }
    # Pages removed from the manifest are removed too.
    recorded = {
        key: fingerprints
        for key, fingerprints in recorded.items()
        if key in spec.kinds or key.startswith(DICTIONARY)
    }
    recorded.update(
        {key_of(each): " ".join(p.fingerprint for p in passages_of(each, spec)) for each in readings}
    )
    path = spec.folder / FILE
    # ISO dates sort as text; a page without a date has an empty one.
    date = max(spec.dialect.newest_page_date, *(_date(each) for each in readings))
    fill_lines = textwrap.TextWrapper(_WIDTH, initial_indent="    ", subsequent_indent="    ").fill
    entries = "".join(
        f"  {key}: >-\n{fill_lines(recorded[key])}\n" for key in sorted(recorded) if recorded[key]
    )
    head = f"{_HEAD}pages_of: {date}\n" if date else _HEAD
    path.write_text(f"{head}reviewed:\n{entries}", encoding="utf-8")
    return path


def _date(reading: Reading) -> str:
    """Return the date of a page's last change in ISO format, or an empty string."""
    settings = markdown.front_matter(reading.text)[0] if reading.kind in (PAGE, GUIDE) else {}
    return next((date for key in _DATE_KEYS if (date := date_in(settings.get(key, "")[:10]))), "")
