"""Reject a commit message whose subject is not in the imperative.

A git hook (`pre-commit install --hook-type commit-msg`), called with the path of the message. English does
not mark the imperative, so the hook searches for other forms: a label with a colon, an article or pronoun, or
a first word that ends in -s, -ed or -ing. It also checks the capital letter, the full stop and the length.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

MAX_LENGTH = 100
OTHER_FORMS = re.compile(
    r"(?!(?:Address|Bypass|Discuss|Embed|Exceed|Feed|Focus|Miss|Need|Pass|Press|Process|Proceed|Seed|"
    r"Shed|Speed|Spread|Suppress|Bring|Ring|String)\b)\w+(?:s|ed|ing)\b"
)


def remedy(subject: str) -> str | None:
    """Return how to correct a subject; None if it is accepted."""
    first = subject.split(" ", 1)[0]
    if not first[:1].isupper():
        return "begin with a capital letter"
    if first.endswith(":"):
        return "begin with a verb, not with a label"
    if OTHER_FORMS.fullmatch(first) or first in {"The", "A", "An", "It", "This"}:
        return f"use the imperative (Add, Fix, Refuse, Move), not {first!r}"
    if subject.endswith("."):
        return "end without a full stop"
    if len(subject) > MAX_LENGTH:
        return f"shorten it to {MAX_LENGTH} characters"
    return None


def main(path: str) -> int:
    """Check the commit message in a file."""
    subject = Path(path).read_text(encoding="utf-8").partition("\n")[0].strip()
    correction = None if subject.startswith(("Merge ", "Revert ", "fixup! ")) else remedy(subject)
    if correction is not None:
        print(f"commit subject {subject!r}: {correction}", file=sys.stderr)
    return int(correction is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
