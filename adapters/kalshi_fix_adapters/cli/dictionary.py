"""`kalshi-fix dictionary`: writes the dialect in the formats of other FIX engines."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from kalshi_fix_adapters.cli.kit.failures import CommandError
from kalshi_fix_sansio import PRODUCTS

ORCHESTRA = "orchestra"


@click.command()
@click.argument("selection", type=click.Choice([*PRODUCTS, ORCHESTRA]))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to write into.  [default: the current folder]",
)
def dictionary(selection: str, out: Path) -> None:
    """Write QuickFIX data dictionaries for a product (FIXT11.xml and FIX50SP2.xml), or the whole dialect as a
    FIX Orchestra repository (orchestra.xml)."""
    shipped = files("kalshi_fix_sansio") / "dictionaries"
    sources = (
        [shipped / "orchestra.xml"]
        if selection == ORCHESTRA
        else sorted((shipped / selection).iterdir(), key=lambda source: source.name)
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        for source in sources:
            path = out / source.name
            path.write_bytes(source.read_bytes())
            click.echo(path)
    except OSError as error:
        raise CommandError(f"{out} cannot be written ({error.strerror}); choose another folder") from None
