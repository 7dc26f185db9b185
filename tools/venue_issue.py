"""Keep one issue open while the venue's documents differ from the spec, with the list of differences.

Used by .github/workflows/venue.yml: `venue_issue.py STATUS REPORT`, with the exit status and the output of
`python -m codegen diff`. Needs `gh` and a token that may write issues.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

LABEL = "venue-revision"
TITLE = "The venue's documents have changed"
MAX_BODY = 60_000
"""Maximum size of the text in characters; GitHub accepts 65,536."""
QUOTED = "    it says   "
"""Prefix of lines that quote the venue's text, which may not be published."""


def main(status: int, report: Path) -> int:
    """Update the issue; return the exit status."""
    if status not in (0, 1):
        print(f"diff ended with {status}; the issue is left as it is")
        return 1
    listed = json.loads(
        gh("issue", "list", "--label", LABEL, "--state", "open", "--json", "number", "--limit", "100")
    )
    numbers = sorted(each["number"] for each in listed)
    # Only one issue is kept. Others were opened by hand, or by concurrent runs.
    spare = numbers if status == 0 else numbers[1:]
    reason = "Nothing is left to do." if status == 0 else f"See #{numbers[0]}." if numbers else ""
    for number in spare:
        gh("issue", "close", str(number), "--comment", reason)
    if status == 0:
        return 0
    text = body(report.read_text(encoding="utf-8"))
    if numbers:
        gh("issue", "edit", str(numbers[0]), "--title", TITLE, "--body-file", "-", text=text)
    else:
        gh(
            "label",
            "create",
            LABEL,
            "--force",
            "--description",
            "What the venue changed and the spec does not have",
        )
        gh("issue", "create", "--title", TITLE, "--label", LABEL, "--body-file", "-", text=text)
    return 0


def body(report: str) -> str:
    """Return the report for an issue, without the venue's text, in a code fence longer than any inside it."""
    lines = [line for line in report.splitlines() if not line.startswith(QUOTED)]
    shown = re.sub("`{4,}", "```", "\n".join(lines))
    if len(shown) > MAX_BODY:
        shown = f"{shown[:MAX_BODY]}\n… and more"
    head = "`python -m codegen diff` says this; docs/revise-the-spec.md says what to do about it."
    return f"{head}\n\n````text\n{shown}\n````\n"


def gh(*arguments: str, text: str = "") -> str:
    """Run the `gh` command."""
    return subprocess.run(
        ["gh", *arguments], check=True, text=True, input=text, stdout=subprocess.PIPE
    ).stdout


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), Path(sys.argv[2])))
