"""Report words in comments, docstrings and pages that the language section of CONTRIBUTING.md disallows.

`make lint` and `make quick` run it. The list contains only words that nearly always have a plainer synonym.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPLACEMENTS = {
    r"told|tells": "reported, reports, emitted, notified",
    r"untold": "unreported",
    r"whoever|nobody|somebody": "the caller, the user, another process, no client",
    r"stands|stood": "is, is defined in, is next to",
    r"(?:is|are|was|were) to be": "must be, or the verb without an auxiliary",
    r"(?:of|from) before": "earlier, previous",
    r"what (?:came|comes)": "the received message, the unsolicited report",
    r"(?:says|said) (?:that|so|what|which|whether|nothing)": "contains, states, reports",
}
"""Each disallowed pattern, with possible replacements."""
WORDS = {re.compile(rf"\b(?:{word})\b", re.IGNORECASE): better for word, better in REPLACEMENTS.items()}
TEST_DATA = "tests/codegen/diff/pages"
"""Pages of an invented venue, for the tests of `codegen diff`."""
NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|<[^>]+>", re.DOTALL)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments and docstrings of a Python file, or the text of a page, each with its first line."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield 1, source
        return
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def faults(path: Path) -> Iterator[str]:
    """Yield a line for each disallowed word in a file."""
    for first, text in texts(path):
        # Code, links and tags are replaced by spaces, which keeps the line numbers.
        prose = NOT_PROSE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
        for pattern, replacement in WORDS.items():
            for match in pattern.finditer(prose):
                line = first + prose.count("\n", 0, match.start())
                yield f"{path.relative_to(ROOT)}:{line}: {match[0]!r}; write: {replacement}"


def main() -> int:
    """Check all files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--", "*.py", "*.md", f":!{TEST_DATA}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    lines = [fault for path in paths if path.exists() for fault in faults(path)]
    print(*lines, sep="\n", file=sys.stderr)
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
