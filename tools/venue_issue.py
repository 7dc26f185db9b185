"""While the venue's documents differ from the spec, keep one issue open that lists the differences.

Used by .github/workflows/venue.yml: `venue_issue.py PAGES EARLIER`, with the folders of the documents and of
earlier documents. If EARLIER is not empty, the issue shows the changed words. If nothing is left to do, the
script appends `agrees=true` to the outputs of the step. It needs `gh` and a token with permission to write
issues.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

LABEL = "venue-revision"
TITLE = "The venue's documents have changed"
MAX_BODY = 60_000
"""Maximum size of the text in characters; GitHub accepts 65,536."""
QUOTATION_PREFIX = "    the text  "
"""Prefix of lines that quote the venue's text."""
MAX_QUOTED = 120
"""Maximum length in characters of a quotation without changed words; the venue's text is not ours to
publish.
"""


def main(pages: Path, earlier: Path) -> int:
    """Compare the documents with the spec, and update the issue; return the exit status."""
    against = ["--against", str(earlier)] if earlier.is_dir() and any(earlier.iterdir()) else []
    text_report, json_report = (
        subprocess.run(
            [sys.executable, "-m", "codegen", "diff", str(pages), *against, *options],
            check=False,
            stdout=subprocess.PIPE,
            text=True,
        )
        for options in ([], ["--json"])
    )
    if {text_report.returncode, json_report.returncode} not in ({0}, {1}):
        print(f"diff exited with status {text_report.returncode}; the issue was not changed")
        return 1
    # A source that was not read is a finding too: the issue stays open, whatever the exit status.
    agrees = text_report.returncode == 0 and not json.loads(json_report.stdout)["findings"]
    update(agrees=agrees, report=text_report.stdout)
    if agrees and "GITHUB_OUTPUT" in os.environ:
        with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as outputs:
            outputs.write("agrees=true\n")
    return 0


def update(*, agrees: bool, report: str) -> None:
    """Close the issue, or write the report into it."""
    issues = json.loads(
        gh("issue", "list", "--label", LABEL, "--state", "open", "--json", "number", "--limit", "100")
    )
    numbers = sorted(each["number"] for each in issues)
    # Only one issue is kept. Others were opened by hand, or by concurrent runs.
    superfluous = numbers if agrees else numbers[1:]
    reason = "Nothing is left to do." if agrees else f"See #{numbers[0]}." if numbers else ""
    for number in superfluous:
        gh("issue", "close", str(number), "--comment", reason)
    if agrees:
        return
    text = body(report)
    if numbers:
        gh("issue", "edit", str(numbers[0]), "--title", TITLE, "--body-file", "-", text=text)
    else:
        gh(
            "label",
            "create",
            LABEL,
            "--force",
            "--description",
            "Changes by the venue that are not in the spec yet",
        )
        gh("issue", "create", "--title", TITLE, "--label", LABEL, "--body-file", "-", text=text)


def body(report: str) -> str:
    """Return the text of the issue: the report, with short quotations, in a code fence."""
    # No fence within the report may be as long as the one around it.
    content = re.sub("`{4,}", "```", "\n".join(map(_shortened, report.splitlines())))
    if len(content) > MAX_BODY:
        content = f"{content[:MAX_BODY]}\n… and more"
    introduction = (
        "`python -m codegen diff` reports this; `make revise` applies it (docs/revise-the-spec.md)."
    )
    return f"{introduction}\n\n````text\n{content}\n````\n"


def _shortened(line: str) -> str:
    """Return a line of the report; a long quotation without marked changes is shortened."""
    if not line.startswith(QUOTATION_PREFIX) or "[-" in line or "{+" in line or len(line) <= MAX_QUOTED:
        return line
    return f"{line[:MAX_QUOTED]} …"


def gh(*arguments: str, text: str = "") -> str:
    """Run the `gh` command."""
    return subprocess.run(
        ["gh", *arguments], check=True, text=True, input=text, stdout=subprocess.PIPE
    ).stdout


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:])))
