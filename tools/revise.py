"""Update the spec after a change to the venue's documents, step by step.

Run this script, write the texts that are missing from the spec, and run the script again.

The first run fetches the venue's documents, compares them with the spec, creates a branch and writes the
proposals. Each run then goes as far as it can. It compares, generates, lists the API changes and the elements
that hand-written code does not handle, and runs the quick gate. `summary.md` in the revision's folder, which
is outside the repository, contains the duration of each step and the remaining work. The exit status is 0 if
no work remains, 1 if some remains, and 2 if a step failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kalshi-fix-sansio" / "revisions"
BRANCH = "venue-"
"""Prefix of the branches of revisions; it is followed by the name of the revision."""
PLACEHOLDER = "…"
"""Placeholder for missing text. Codegen writes it, and rejects a spec that contains it."""


class StepError(Exception):
    """Raised by a step to end the run, with an exit status and instructions for the user."""

    def __init__(self, status: int, instructions: str) -> None:
        super().__init__(instructions)
        self.status = status


class Revision:
    """The folder of a revision: the documents, the output of each step and the log of all runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.pages = folder, folder / "pages"
        self._file = folder / "revision.json"
        stored_state = self._file.read_text(encoding="utf-8") if self._file.is_file() else "{}"
        self.state: dict[str, Any] = {
            "base": "",
            "done": False,
            "steps": [],
            "generated": [],
            **json.loads(stored_state),
        }
        folder.mkdir(parents=True, exist_ok=True)
        if self.base and self.steps:
            self._add("between two runs", time.time() - self.steps[-1]["ended"], "by hand")

    @property
    def base(self) -> str:
        """The commit that the branch started from; empty before there is a branch."""
        return str(self.state["base"])

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps of all runs."""
        steps: list[dict[str, Any]] = self.state["steps"]
        return steps

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Measure a step; the block appends its result to the list."""
        print(f"== {name}", flush=True)
        started, result = time.monotonic(), list[str]()
        try:
            yield result
        except StepError:
            result = result or ["failed"]
            raise
        finally:
            self._add(name, time.monotonic() - started, "; ".join(result))
            self.save()
        print(f"   {'; '.join(result)}", flush=True)

    def _add(self, name: str, seconds: float, result: str) -> None:
        self.steps.append({"step": name, "seconds": seconds, "result": result, "ended": time.time()})

    def save(self) -> None:
        """Write the log of all runs."""
        self._file.write_text(json.dumps(self.state, indent=1), encoding="utf-8")

    def read(self, name: str) -> str:
        """Return the output of a step of an earlier run; empty if there is none."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def write(self, name: str, text: str) -> Path:
        """Write the output of a step."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


class RevisionSteps:
    """The steps of a revision."""

    def __init__(self, options: argparse.Namespace, revision: Revision) -> None:
        self.options, self.revision = options, revision
        self.spec = Path(options.spec)

    def codegen(
        self, *arguments: str | Path, expected: Sequence[int] = (0,)
    ) -> subprocess.CompletedProcess[str]:
        """Run codegen on the spec; if the exit status is not expected, stop the revision with its errors."""
        spec = [] if self.options.spec == DEFAULT_SPEC else ["--spec", self.options.spec]
        process = run(sys.executable, "-m", "codegen", *spec, *map(str, arguments))
        if process.returncode not in expected:
            raise StepError(
                2, f"Correct this, and run the script again:\n\n{as_code(process.stderr or process.stdout)}"
            )
        return process

    def fetch(self) -> None:
        """Download the documents, unless the revision has begun already."""
        pages = self.revision.pages
        if self.revision.base:
            return
        with self.revision.step("fetch") as result:
            shutil.rmtree(pages, ignore_errors=True)
            urls = [
                each
                for name in ("index", "dictionary")
                if getattr(self.options, name)
                for each in (f"--{name}", getattr(self.options, name))
            ]
            self.codegen("fetch", *urls, "--out", pages)
            result.append(f"{sum(each.is_file() for each in pages.rglob('*'))} documents")

    def compare(self, *more: str) -> bool:
        """Compare the documents with the spec; return whether they agree."""
        with self.revision.step("compare") as result:
            earlier_documents = self._earlier_documents()
            against = [] if earlier_documents is None else ["--against", str(earlier_documents)]
            process = self.codegen("diff", self.revision.pages, *against, *more, expected=(0, 1))
            self.revision.write("report.txt", process.stdout)
            result.append(process.stdout.splitlines()[-1])
            return process.returncode == 0

    def _earlier_documents(self) -> Path | None:
        """Return the folder of the earlier documents, used to show changed words, or None."""
        if self.options.against:
            return Path(self.options.against)
        own_folder = self.revision.folder
        for folder in sorted(own_folder.parent.iterdir(), reverse=True):
            log = folder / "revision.json"
            if folder.name < own_folder.name and log.is_file() and json.loads(log.read_text("utf-8"))["done"]:
                return folder / "pages"
        return None

    def branch(self) -> None:
        """Start the branch of the revision, from a clean work tree."""
        with self.revision.step("branch") as result:
            if git("status", "--porcelain"):
                raise StepError(2, "The work tree has changes: commit them, and run the script again.")
            base, name = git("rev-parse", "HEAD"), f"{BRANCH}{self.revision.folder.name}"
            git("switch", "--create", name)
            self.revision.state["base"] = base
            result.append(f"{name} from {base[:12]}")

    def propose(self) -> None:
        """Write the proposals into the spec."""
        with self.revision.step("proposals") as result:
            notes = self.codegen("diff", self.revision.pages, "--write", expected=(0, 1)).stderr.splitlines()
            not_written = [line.removeprefix("by hand  ") for line in notes if line.startswith("by hand  ")]
            self.revision.state["by hand"] = not_written
            written = sum(line.startswith("written  ") for line in notes)
            result.append(f"{written} written, {len(not_written)} left to write by hand")

    def words(self) -> None:
        """Stop if the spec still contains a placeholder for a missing text."""
        with self.revision.step("words") as result:
            report = self.revision.read("report.txt").splitlines()
            missing = [
                f"{path.as_posix()}:{number}: {line.strip()}{_finding(line.strip(), report)}"
                for path in sorted(self.spec.rglob("*.yaml"))
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
                if re.search(rf'"{PLACEHOLDER}"|: {PLACEHOLDER}[,}}]', line)
            ]
            result.append(f"{len(missing) or 'none'} missing")
            if missing:
                instructions = f"Replace each `{PLACEHOLDER}` with text, and run the script again"
                raise StepError(1, f"{instructions}:\n\n{as_list(missing)}")

    def generate(self) -> None:
        """Generate all files that are derived from the spec."""
        with self.revision.step("generate") as result:
            changed_before = changed_files(self.revision.base)
            if self.options.out:
                self.codegen("--out", self.options.out, "--package", self.options.package)
            elif (process := run("make", "--silent", "generate")).returncode:
                raise StepError(2, f"Correct this, and run the script again:\n\n{as_code(process.stderr)}")
            paths = changed_files(self.revision.base) - changed_before
            # Untracked files make the gate fail.
            git("add", "--intent-to-add", "--", *(path for path in paths if Path(path).exists()))
            self.revision.state["generated"] = sorted({*self.revision.state["generated"], *paths})
            result.append(f"{len(self.revision.state['generated'])} files")

    def api(self) -> None:
        """List the changes that the revision makes to the API."""
        with self.revision.step("api") as result:
            lines = self.codegen("api", "--against", self.revision.base, expected=(0, 1)).stdout.splitlines()
            self.revision.state["api"] = lines
            breaking = sum(line.startswith("BREAKING") for line in lines)
            result.append(
                f"{breaking} breaking, {sum(line.startswith('compatible') for line in lines)} compatible"
            )

    def downstream(self) -> None:
        """Stop if hand-written code does not handle a part of the dialect."""
        if not (self.spec / "downstream.yaml").is_file():
            return
        with self.revision.step("downstream") as result:
            process = self.codegen("downstream", expected=(0, 1))
            # A mistake in downstream.yaml goes to standard error.
            output = process.stdout or process.stderr
            result.append(output.splitlines()[-1])
            if process.returncode:
                instructions = (
                    f"Handle these, or list them in {self.spec}/downstream.yaml, and run the script again"
                )
                raise StepError(1, f"{instructions}:\n\n{as_code(output)}")

    def gate(self) -> None:
        """Run the quick gate (`make quick`), or the command that `--gate` sets."""
        command = self.options.gate or f"make quick BASE={self.revision.base}"
        path = self.revision.folder / "gate.txt"
        with self.revision.step("gate") as result, path.open("w", encoding="utf-8") as log:
            print(f"   {command}, to {path}", flush=True)
            process = subprocess.run(shlex.split(command), cwd=ROOT, check=False, stdout=log, stderr=log)
            if process.returncode:
                raise StepError(1, f"`{command}` failed: see {path}. Correct this, and run the script again.")
            result.append(command)

    def run_all(self) -> str:
        """Run all steps; return the instructions for the user. A step that cannot continue raises
        StepError.
        """
        self.fetch()
        if not self.revision.base:
            if self.compare():
                self.revision.state["done"] = True
                return "The spec agrees with the documents."
            self.branch()
            self.propose()
        self.words()
        agrees = self.compare(*(["--reviewed"] if self.options.reviewed else []))
        self.generate()
        self.api()
        self.downstream()
        if not agrees:
            report = self.revision.folder / "report.txt"
            instructions = "When only new text is left, and you have read it, run the script with --reviewed."
            raise StepError(1, f"Work through {report}, and run the script again. {instructions}")
        self.gate()
        self.revision.state["done"] = True
        return "Nothing is left: review the changes, add a line to CHANGELOG.md, and commit."


def _finding(line: str, report: list[str]) -> str:
    """Return the finding that proposed a line, in parentheses; empty if there is none."""
    position = next((number for number, each in enumerate(report) if line in each), 0)
    finding = next((each for each in reversed(report[:position]) if each.startswith("* ")), "")
    return f" ({finding.removeprefix('* ')})" if finding else ""


def summary(revision: Revision, spec: str, instructions: str) -> str:
    """Return the summary of all runs."""
    rows = [f"| {each['step']} | {each['seconds'] / 60:.1f} | {each['result']} |" for each in revision.steps]
    total = sum(each["seconds"] for each in revision.steps) / 60
    lines = [f"# Revision {revision.folder.name}", "", "| step | minutes | result |", "| --- | --- | --- |"]
    lines += [*rows, f"| all | {total:.1f} | |", ""]
    if revision.base:
        paths = changed_files(revision.base)
        generated_files = paths & {*revision.state["generated"]}
        spec_files = {path for path in paths if path.startswith(("spec/", f"{spec}/"))}
        other_files = paths - generated_files - spec_files
        head = (
            f"Changed files: {len(spec_files)} of the spec, {len(generated_files)} generated, "
            f"{len(other_files)} other."
        )
        lines += [
            head,
            "",
            as_list([*sorted(spec_files), *sorted(other_files), *sorted(generated_files)]),
            "",
        ]
    for title, key in (("Proposals to apply by hand", "by hand"), ("API", "api")):
        if revision.state.get(key) and not (key == "by hand" and revision.state["done"]):
            lines += [f"{title}:", "", as_list(revision.state[key]), ""]
    return "\n".join([*lines, instructions, ""])


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository."""
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def git(*arguments: str) -> str:
    """Return the output of a git command; raise StepError if it fails."""
    process = run("git", *arguments)
    if process.returncode:
        raise StepError(2, f"git {arguments[0]}: {process.stderr.strip()}")
    return process.stdout.strip()


def changed_files(base: str) -> set[str]:
    """Return the files that differ from a commit, including untracked ones."""
    tracked = git("diff", "--name-only", base).splitlines()
    return {*tracked, *git("ls-files", "--others", "--exclude-standard").splitlines()}


def as_code(text: str) -> str:
    """Return text as Markdown code."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines())


def as_list(lines: Sequence[str]) -> str:
    """Return a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


DEFAULT_SPEC = "spec/kalshi"


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add(
        "--name",
        help="name of the revision; its branch is venue-NAME "
        "[default: that of the current branch, or today's date]",
    )
    add("--reviewed", action="store_true", help="record the text of the documents as reviewed")
    add("--index", help="URL of the venue's llms.txt [default: the manifest's]")
    add("--dictionary", help="URL of the venue's dictionary [default: the manifest's]")
    add("--against", help="folder of earlier documents [default: those of the last revision]")
    add("--folder", type=Path, default=CACHE, help="folder of all revisions [default: %(default)s]")
    add("--gate", help="command to run as the gate [default: make quick]")
    add("--spec", default=DEFAULT_SPEC, help="spec folder [default: %(default)s]")
    add("--out", help="folder of the package generated from another spec")
    add("--package", help="name of that package")
    return parser.parse_args()


def main() -> int:
    """Run the steps of a revision, and write its summary."""
    options = parse_arguments()
    os.chdir(ROOT)
    status = 0
    try:
        branch = git("branch", "--show-current")
        branch_name = branch.removeprefix(BRANCH) if branch.startswith(BRANCH) else ""
        revision = Revision(
            options.folder / (options.name or branch_name or datetime.now(UTC).date().isoformat())
        )
        if revision.base and branch_name != revision.folder.name:
            raise StepError(2, f"Revision {revision.folder.name} has begun: switch to its branch.")
        try:
            instructions = RevisionSteps(options, revision).run_all()
        except StepError as error:
            status, instructions = error.status, str(error)
        revision.save()
        text = summary(revision, options.spec.rstrip("/"), instructions)
        print(f"\n{text}\n{revision.write('summary.md', text)}")
    except StepError as error:
        print(error, file=sys.stderr)
        return error.status
    return status


if __name__ == "__main__":
    sys.exit(main())
