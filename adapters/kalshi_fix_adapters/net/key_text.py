"""Keeps private keys out of error messages.

Errors about a path or an address quote the value, and users may paste the text of a private key into such a
setting by mistake, for example into KALSHI_PRIVATE_KEY_PATH instead of KALSHI_PRIVATE_KEY.
"""

from __future__ import annotations

import re
from typing import Final

MAX_SHOWN: Final = 300
"""Maximum length of a setting in an error text, in characters; longer settings are truncated."""
_KEY_TEXT: Final = re.compile(r"-----|[\x00-\x1f\x7f]|\\n|M[A-Za-z0-9+/]{39}")
"""PEM markers, control characters such as newlines, newlines written as a backslash and n, or the base64 text
of a key, which starts with M, because every key is a SEQUENCE in DER.
"""


def looks_like_key(value: str) -> bool:
    """Return whether a setting may contain the text of a key or certificate instead of a name."""
    return _KEY_TEXT.search(value) is not None


def safe_repr(value: object) -> str:
    """Return a setting for use in an error: quoted, or replaced if it looks like a key.

    Paths are not quoted, so they can be pasted into a shell.
    """
    text = str(value)
    if looks_like_key(text):
        return f"<{len(text)} characters that look like a key, not shown>"
    if len(text) > MAX_SHOWN:
        text = f"{text[:MAX_SHOWN]}... ({len(text)} characters)"
    return repr(text) if isinstance(value, str) else text
