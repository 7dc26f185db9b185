"""The command `python -m codegen diff`."""

from __future__ import annotations

from pathlib import Path

import click

from codegen.diff import compare, differences, findings, passages, proposals, report, sources
from codegen.diff.spec_index import SpecIndex
from codegen.errors import SpecError


@click.command("diff")
@click.argument(
    "paths", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@click.option("--product", help="Product of the sources, if they do not name it.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--facts", "only_facts", is_flag=True, help="Print all parsed facts without comparing them.")
@click.option(
    "--reviewed", is_flag=True, help="Record in reviewed.yaml that you have reviewed the text of the sources."
)
@click.option(
    "--partial", is_flag=True, help="Do not report sources that the manifest lists but you do not pass."
)
@click.option(
    "--against",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Previous versions of pages, to show changed words; repeat for more.",
)
@click.option("--write", is_flag=True, help="Write all proposals that only add lines into the spec.")
@click.pass_context
def diff(
    context: click.Context,
    paths: tuple[Path, ...],
    product: str | None,
    as_json: bool,
    only_facts: bool,
    reviewed: bool,
    partial: bool,
    against: tuple[Path, ...],
    write: bool,
) -> None:
    """Compare the spec with the venue's own documents and list the changes to make.

    A SOURCE is a QuickFIX data dictionary (.xml), a documentation page (.md, .mdx), or a folder of such
    files. The exit status is 0 if all sources in the manifest were read and there are no findings, 2 if a
    given file cannot be read, and 1 otherwise.
    """
    try:
        spec = SpecIndex(context.obj)
        if product is not None and product not in spec.products:
            raise click.BadParameter(f"choose one of {', '.join(spec.products)}", param_hint="--product")
        given_sources = sources.gather(paths, spec, product)
        old = sources.gather(against, spec, product).readings if against else ()
        evidence = findings.evidence_of(given_sources, spec, product)
        intended_differences = differences.read(spec)
    except (SpecError, sources.SourceError) as error:
        click.echo(str(error), err=True)
        context.exit(2)
    if only_facts:
        for line in report.facts(given_sources.readings):
            click.echo(line)
        return
    # Text reviewed in this run is not reported in the same run, so the spec is read again.
    if reviewed:
        file = passages.write(given_sources.readings, spec)
        click.echo(f"{file}: recorded the text of {len(given_sources.readings)} files as reviewed", err=True)
        spec = SpecIndex(context.obj)
    # Facts first, then prose: `passages` leaves out the lines that already have a finding.
    unresolved, accepted = differences.apply_differences(
        compare.compare(evidence), intended_differences, evidence
    )
    unresolved += passages.compare(evidence, unresolved, spec, old)
    unresolved += compare.missing_sources(given_sources, spec, partial=partial)
    reported = findings.merge_products(unresolved, spec.products)
    if write:
        written, others = proposals.write(reported)
        for label, edits in (("written", written), ("by hand", others)):
            for edit in edits:
                click.echo(f"{label}  {edit}", err=True)
    render = report.as_json if as_json else report.text
    click.echo(render(reported, len(accepted), given_sources))
    context.exit(1 if reported else 0)
