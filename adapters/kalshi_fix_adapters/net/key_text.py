"""Keeping a key that stands in the wrong place out of what is shown.

A setting that holds a path or an address is repeated by the error about it, and the text of a private key is
easily pasted there: into KALSHI_PRIVATE_KEY_PATH instead of KALSHI_PRIVATE_KEY, say.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_SHOWN: Final = 300
"""Characters of a setting that an error repeats."""
_KEY_TEXT: Final = re.compile(r"-----|[\x00-\x1f\x7f]|\\n|M[A-Za-z0-9+/]{39}")
"""Marks of PEM, line ends (also written as backslash and n), or the base64 of a key: it begins with M, for
the SEQUENCE that every key is in DER."""


def looks_like_key(value: str) -> bool:
    """Say whether a setting may hold the text of a key, or of a certificate, instead of a name."""
    return _KEY_TEXT.search(value) is not None


def shown(value: object) -> str:
    """Return a setting as an error may repeat it: in quotes where that makes its ends clear, or not at all.

    Paths are shown bare, as shells take them.
    """
    text = str(value)
    if looks_like_key(text):
        return f"<{len(text)} characters that look like a key, not shown>"
    if len(text) > LONGEST_SHOWN:
        text = f"{text[:LONGEST_SHOWN]}... ({len(text)} characters)"
    return repr(text) if isinstance(value, str) else text
