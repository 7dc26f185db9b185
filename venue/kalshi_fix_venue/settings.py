"""Settings: attributes of attrs classes whose range is declared once, for Python and for scenario files."""

from __future__ import annotations

import ast
import inspect
import textwrap
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import attrs

from kalshi_fix_sansio.errors import ConfigurationError

SETTING: Final = "setting"


@attrs.frozen
class SettingRange:
    """Inclusive range of a setting."""

    minimum: Decimal | int | None = None
    maximum: Decimal | int | None = None


def setting(
    default: Any, *, minimum: Decimal | int | None = None, maximum: Decimal | int | None = None
) -> Any:
    """Declare an attribute of an attrs class as a setting, which is checked against its range. The docstring
    after the attribute describes it, in scenario files too."""
    return attrs.field(
        default=default, validator=_check_range, metadata={SETTING: SettingRange(minimum, maximum)}
    )


def descriptions(cls: type) -> dict[str, str]:
    """Return the docstrings of a class's attributes by name, each on one line."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    docs: dict[str, str] = {}
    for attribute, doc in pairwise(getattr(definition, "body", ())):
        if isinstance(attribute, ast.AnnAssign) and isinstance(doc, ast.Expr):
            docs[ast.unparse(attribute.target)] = " ".join(ast.literal_eval(doc.value).split())
    return docs


def _check_range(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    limits: SettingRange = attribute.metadata[SETTING]
    minimum, maximum = limits.minimum, limits.maximum
    # Written as a positive condition, so that NaN fails too.
    if (minimum is None or value >= minimum) and (maximum is None or value <= maximum):
        return
    expected = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
    raise ConfigurationError(f"{attribute.name} of {type(instance).__name__} must be {expected}, not {value}")
