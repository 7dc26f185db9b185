"""The parts of the documentation that `make bench` generates from the results.

The text outside the markers is written by hand. So is `not_reached.md`, whose paragraphs explain the missed
targets. Its placeholders are replaced with figures from the results: `{{us | CASE | ENGINE}}` with a time,
`{{ratio | TARGET}}` with a measured ratio.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.measure import ROOT, Result
from benchmarks.targets import TARGETS, by_key, missed_targets, value

DOCS, PAGE, PROSE = ROOT / "docs", "performance.md", report.HERE / "not_reached.md"
_BLOCK = re.compile(r"(<!-- make bench writes: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FIGURE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def render(results: Sequence[Result], prose: str) -> dict[str, str]:
    """Return the text for each pair of markers, by the name in the marker."""
    first = results[0]
    return {
        "run": f"Python {first.python}, {first.machine}.",
        "targets": "\n".join(
            ["| ratio | measured | target | |", "|---|---:|---:|---|"]
            + [f"| {' | '.join(row)} |" for row in report.ratios(results)]
        ),
        "not-reached": "\n\n".join(explanations(results, prose)) or "Every target was reached.",
        "results": "\n".join(report.table(results)),
    }


def fill(text: str, blocks: Mapping[str, str]) -> str:
    """Return a page with its generated parts replaced."""
    return _BLOCK.sub(lambda match: f"{match[1]}\n{blocks[match[2]]}\n\n{match[3]}", text)


def write(results: Sequence[Result], folder: Path = DOCS) -> None:
    """Replace the generated parts of `docs/performance.md`, and write the page to `folder`."""
    blocks = render(results, PROSE.read_text(encoding="utf-8"))
    text = fill((DOCS / PAGE).read_text(encoding="utf-8"), blocks)
    (folder / PAGE).write_text(text, encoding="utf-8")


def paragraphs(prose: str) -> dict[tuple[str, ...], str]:
    """Return the paragraphs, keyed by the targets that they explain."""
    _, *parts = re.split(r"^## (.+)$", prose, flags=re.MULTILINE)
    return {tuple(head.split()): text.strip() for head, text in zip(parts[::2], parts[1::2], strict=True)}


def unexplained(results: Sequence[Result], prose: str) -> list[str]:
    """Return the names of the targets that were missed and have no paragraph."""
    explained = {key for keys, text in paragraphs(prose).items() if text for key in keys}
    return [target.key for target in missed_targets(results) if target.key not in explained]


def explanations(results: Sequence[Result], prose: str) -> Iterator[str]:
    """Yield the paragraphs about the missed targets, with their placeholders filled in.

    Raises:
        KeyError: a paragraph refers to a target or figure that does not exist.
    """
    known = {target.key for target in TARGETS}
    missed_keys = {target.key for target in missed_targets(results)}
    for keys, text in paragraphs(prose).items():
        if misspelt := set(keys) - known:
            raise KeyError(f"{PROSE.name} explains targets that do not exist: {', '.join(misspelt)}")
        if missed_keys.intersection(keys):
            filled = _FIGURE.sub(lambda match: _figure(match[1], results), text)
            yield "\n\n".join(_wrap(paragraph) for paragraph in filled.split("\n\n"))


def _wrap(paragraph: str) -> str:
    return textwrap.fill(" ".join(paragraph.split()), 130, break_long_words=False, break_on_hyphens=False)


def _figure(reference: str, results: Sequence[Result]) -> str:
    kind, *name = (part.strip() for part in reference.replace("\n", " ").split("|"))
    if kind == "ratio":
        ratio = next(target for target in TARGETS if target.key == name[0]).ratio(by_key(results))
        if ratio is None:
            raise KeyError(reference)
        return f"{ratio:.1f}"
    measured = by_key(results)[name[0], name[1]]
    return report.format_value(value(measured), measured.unit)
