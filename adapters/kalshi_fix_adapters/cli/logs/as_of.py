"""The option `--as-of` of the commands that read logs."""

from __future__ import annotations

from datetime import date
from typing import Final

import click

from kalshi_fix_adapters.cli.kit.values import ParsedParam
from kalshi_fix_adapters.logs.dates import AsOf

_LATEST: Final = "latest"


def _parse_as_of(text: str) -> AsOf:
    value = text.strip()
    if value == _LATEST:
        return _LATEST
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is neither a date such as 2026-06-30 nor {_LATEST!r}") from None


as_of_option: Final = click.option(
    "--as-of",
    type=ParsedParam("date", _parse_as_of),
    help="Check all messages against the dialect of this date, or of today (latest). Default: the dialect at "
    "each message's SendingTime.",
)
