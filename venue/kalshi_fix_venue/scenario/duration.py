"""Spans of time as people write them: `500ms`, `90s`, `15m`, `2h`, `1d`."""

from __future__ import annotations

import re
from typing import Final

DURATION: Final = r"[0-9]{1,9}(?:\.[0-9]{1,3})?(?:ms|s|m|h|d)"
DURATION_FORMAT: Final = "a time such as `500ms`, `90s`, `15m`, `2h` or `1d`"
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str) -> float | None:
    """Return the seconds of a duration such as `90s`, or None if the text is not one."""
    if not re.fullmatch(DURATION, text):
        return None
    number = text.rstrip("mshd")
    return float(number) * _UNITS[text[len(number) :]]
