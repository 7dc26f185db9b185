"""Settings of attrs classes: each states its range and its meaning once, for Python and scenario files."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs

from kalshi_fix_sansio.errors import ConfigurationError

SETTING: Final = "setting"


@attrs.frozen
class Setting:
    """Description and inclusive range of a setting."""

    doc: str
    least: Decimal | int | None = None
    most: Decimal | int | None = None


def setting(
    doc: str, *, default: Any, least: Decimal | int | None = None, most: Decimal | int | None = None
) -> Any:
    """Make an attribute of an attrs class a setting that is checked against its range."""
    return attrs.field(default=default, validator=_check_range, metadata={SETTING: Setting(doc, least, most)})


def _check_range(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    stated: Setting = attribute.metadata[SETTING]
    least, most = stated.least, stated.most
    # Written as a positive condition: NaN fails, too.
    if (least is None or value >= least) and (most is None or value <= most):
        return
    expected = f"at least {least}" if most is None else f"{least} to {most}"
    raise ConfigurationError(f"{attribute.name} of {type(instance).__name__} must be {expected}, not {value}")
