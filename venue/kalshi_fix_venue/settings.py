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
    minimum: Decimal | int | None = None
    maximum: Decimal | int | None = None


def setting(
    doc: str, *, default: Any, minimum: Decimal | int | None = None, maximum: Decimal | int | None = None
) -> Any:
    """Declare an attribute of an attrs class as a setting, which is checked against its range."""
    return attrs.field(
        default=default, validator=_check_range, metadata={SETTING: Setting(doc, minimum, maximum)}
    )


def _check_range(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    stated: Setting = attribute.metadata[SETTING]
    minimum, maximum = stated.minimum, stated.maximum
    # Written as a positive condition: NaN fails, too.
    if (minimum is None or value >= minimum) and (maximum is None or value <= maximum):
        return
    expected = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
    raise ConfigurationError(f"{attribute.name} of {type(instance).__name__} must be {expected}, not {value}")
