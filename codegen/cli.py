"""Commands of `python -m codegen`."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Any

import click

from codegen import downstream
from codegen.diff import differences
from codegen.diff.command import diff
from codegen.diff.compare import compare
from codegen.diff.fetch import command as fetch
from codegen.diff.findings import evidence_of
from codegen.diff.sources import gather
from codegen.diff.spec_index import SpecIndex
from codegen.emit import api
from codegen.emit.check import ForeignFileError, check, write
from codegen.emit.render import DEFAULT_COMMAND, DEFAULT_PACKAGE, REPOSITORY, render
from codegen.errors import SpecError
from codegen.export import dictionary, orchestra, shipped
from codegen.export.reference import examples, pages
from codegen.format import FormatError
from codegen.read import importer, quickfix_xml
from codegen.read.commit import CommitError, spec_at
from codegen.read.resolve import load_dialect

DEFAULT_SPEC = REPOSITORY / "spec" / "kalshi"
DEFAULT_OUT = REPOSITORY / "src" / "kalshi_fix_sansio" / "_generated"
REFERENCE_OUT = REPOSITORY / "docs" / "reference"
SHIPPED_OUT = REPOSITORY / "src" / "kalshi_fix_sansio" / "dictionaries"

_folder = click.Path(file_okay=False, path_type=Path)


class _Failure(click.ClickException):
    """Exit with status 1 and print the message without click's "Error:" prefix."""

    def show(self, file: object = None) -> None:
        del file
        click.echo(self.message, err=True)


class _Commands(click.Group):
    """Command group that reports spec errors as a list and exits with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SpecError, FormatError, ForeignFileError, CommitError, api.ApiError) as error:
            raise _Failure(str(error)) from None


@click.group(
    cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--spec", type=_folder, help="Spec folder.  [default: spec/kalshi]")
@click.option("--out", type=_folder, help="Folder of the generated package; needed with --package.")
@click.option("--package", help="Dotted name of the generated package; needed with --out.")
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; fail if a generated file is out of date."
)
@click.pass_context
def main(
    context: click.Context, spec: Path | None, out: Path | None, package: str | None, only_check: bool
) -> None:
    """Write all files generated from a spec folder, or check that they are up to date.

    Without options, the Kalshi dialect of this repository is generated.
    """
    context.obj = spec or _relative_path(DEFAULT_SPEC)
    if context.invoked_subcommand:
        if out or package or only_check:
            raise click.UsageError(
                f"--out, --package and --check have no effect before `{context.invoked_subcommand}`."
            )
        return
    # The name of the package cannot be derived from its folder, nor the folder from the name.
    if (out is None) != (package is None):
        raise click.UsageError("--out and --package must be given together.")
    if spec is not None and out is None:
        raise click.UsageError(
            "--spec needs --out and --package, so that this repository's package is not overwritten."
        )
    # The header of each generated file contains the command that regenerates it.
    command = _command(spec, out, package)
    dialect = load_dialect(context.obj)
    # Both actions process the same files in the same order.
    act = partial(_check, command=command) if only_check else _write
    act({out or _relative_path(DEFAULT_OUT): render(dialect, package or DEFAULT_PACKAGE, command)})
    # The reference pages, dictionaries and examples.log are generated for this repository's dialect only.
    if out is None:
        # The examples import the generated package, which is up to date at this point.
        shown = examples.run(examples.load(dialect, context.obj))
        act({_relative_path(REFERENCE_OUT): pages.render(dialect, shown)})
        files = {**shipped.render(dialect), "examples.log": examples.log(shown)}
        act({_relative_path(SHIPPED_OUT): files})


@main.command("dictionary")
@click.option("--product", help="Product whose messages are written; required if the dialect has products.")
@click.option(
    "--out", type=_folder, required=True, help="Folder for FIXT11.xml and FIX50SP2.xml, or FIX44.xml."
)
@click.pass_obj
def write_dictionary(spec: Path, product: str | None, out: Path) -> None:
    """Write the QuickFIX data dictionaries of a dialect, or of one of its products."""
    dialect = load_dialect(spec)
    if product not in (dialect.product_names or (None,)):
        choice = (
            f"choose one of {', '.join(dialect.product_names)}" if dialect.products else "it has no products"
        )
        problem = "needs --product" if product is None else f"has no product {product!r}"
        raise click.UsageError(f"{spec} {problem}: {choice}.")
    for path in dictionary.write(dialect, product, out):
        click.echo(path)


@main.command("orchestra")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.pass_obj
def write_orchestra(spec: Path, out: Path) -> None:
    """Write a FIX Orchestra repository of the whole dialect."""
    text = orchestra.render(load_dialect(spec))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    click.echo(out)


@main.command("import")
@click.argument(
    "dictionaries", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--out", type=_folder, required=True, help="New or empty folder for the spec.")
@click.option("--name", default="imported", show_default=True, help="Short name of the dialect.")
@click.option("--title", help="Display name of the dialect.  [default: its short name]")
@click.option("--message", "only", multiple=True, help="Import only this message; repeat for more.")
def import_dictionary(
    dictionaries: tuple[Path, ...], out: Path, name: str, title: str | None, only: tuple[str, ...]
) -> None:
    """Create a spec folder from QuickFIX data dictionaries: FIXT11.xml and FIX50SP2.xml, or only FIX44.xml.

    Content that the spec format cannot express is left out, and is listed on standard error.
    """
    read = [quickfix_xml.read(path) for path in dictionaries]
    imported = importer.import_dictionaries(read, name, title or name, only)
    try:
        paths = importer.write(imported, out)
    except FileExistsError as error:
        raise _Failure(str(error)) from None
    for note in imported.notes:
        click.echo(note, err=True)
    # Listed as known differences, so that `diff` reports only the changes in later editions.
    spec = SpecIndex(out)
    evidence = evidence_of(gather(dictionaries, spec, None), spec, None)
    if entries := differences.text_of(compare(evidence), importer.SOURCE, "Left out by the import."):
        paths.append(out / "differences.yaml")
        paths[-1].write_text(entries, encoding="utf-8")
    for path in paths:
        click.echo(path)


@main.command("api")
@click.option(
    "--against",
    metavar="COMMIT|FILE",
    help="Compare with the spec of this commit, or with the API in this file.  "
    "[default: released.json in the spec folder]",
)
@click.option("--release", is_flag=True, help="Record the current API as the API of the last release.")
@click.pass_obj
def compare_api(spec: Path, against: str | None, release: bool) -> None:
    """List the API changes since the last release or a commit.

    A change can affect the wire (data exchanged with other versions), source (programs that use a name),
    typing (their type checkers) or the venue (messages that it accepts and sends). The exit status is 1 if
    any change may break a program.
    """
    # Loaded before writing, so that --release never records the API of an invalid spec.
    current = api.describe(load_dialect(spec))
    file = spec / api.RELEASED if against is None else Path(against)
    if release:
        file.write_text(api.text(current), encoding="utf-8")
        click.echo(file)
        return
    earlier = api.read(file) if against is None or file.is_file() else _api_at(against, spec)
    changes = api.compare(earlier, current)
    for change in changes:
        click.echo(change)
    for breaks, effect in api.EFFECTS.items():
        count = sum(each.breaks == breaks and each.breaking for each in changes)
        if count:
            counted = "1 breaking difference" if count == 1 else f"{count} breaking differences"
            click.echo(f"{counted} of kind `{breaks}`: {effect}.")
    if any(change.breaking for change in changes):
        raise SystemExit(1)


def _api_at(commit: str, spec: Path) -> api.Api:
    with spec_at(commit, spec) as folder:
        return api.describe(load_dialect(folder))


@main.command("downstream")
@click.pass_obj
def compare_downstream(spec: Path) -> None:
    """List messages, members, codes and texts of the dialect that hand-written code does not handle.

    The spec folder's downstream.yaml lists the folders and files of that code, and the elements that it
    deliberately does not handle. The exit status is 1 if anything remains to be checked.
    """
    report = downstream.compare(load_dialect(spec), spec, REPOSITORY)
    for line in (*report.unhandled, *report.obsolete):
        click.echo(line)
    remaining = len(report.unhandled) + len(report.obsolete) or "nothing"
    click.echo(f"Intentionally not handled: {report.covered}. Left to check: {remaining}.")
    if report.unhandled or report.obsolete:
        raise SystemExit(1)


main.add_command(diff)
main.add_command(fetch)


def _relative_path(path: Path) -> Path:
    """Return `path` relative to the current folder if it is below that folder, else unchanged."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _command(spec: Path | None, out: Path | None, package: str | None) -> str:
    options = (("--spec", spec), ("--out", out), ("--package", package))
    given = [f"{name} {shlex.quote(str(value))}" for name, value in options if value is not None]
    return " ".join([DEFAULT_COMMAND, *given])


def _check(outputs: dict[Path, dict[str, str]], command: str) -> None:
    findings = [finding for folder, files in outputs.items() for finding in check(files, folder)]
    if findings:
        lines = [str(finding) for finding in findings]
        raise _Failure("\n".join([*lines, f"Run `{command}` and commit the changes."]))


def _write(outputs: dict[Path, dict[str, str]]) -> None:
    for folder, files in outputs.items():
        for change in write(files, folder):
            click.echo(change)
