"""Samples: messages with the tags of a shape and invented values. From a sample, another process can compile
the decoder of the shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kalshi_fix_sansio.codec.explainer import MSG_TYPE_TAG, Explainer
from kalshi_fix_sansio.dialect.layout import FieldLayout, Kind
from kalshi_fix_sansio.framing import encode_frame

_VALUES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.BOOLEAN: "Y",
        Kind.UTCTIMESTAMP: "20260101-00:00:00",
        Kind.UTCDATEONLY: "20260101",
        Kind.UTCTIMEONLY: "00:00:00",
    }
)
"""Invented values by kind; "1" for all other kinds."""


def sample_of(explainer: Explainer, fields: Mapping[int, FieldLayout]) -> bytes:
    """Return a message of the same shape as the one that was explained. Its tags, MsgType and counters are
    the same; all other values are invented.
    """
    parts = []
    for tag, value, _ in explainer.tokens[2:-1]:
        kind = fields[tag].kind if tag in fields else Kind.STRING
        is_kept = tag == MSG_TYPE_TAG or kind is Kind.NUMINGROUP
        parts.append(f"{tag}={value if is_kept else _VALUES.get(kind, '1')}\x01")
    return encode_frame(explainer.begin_string, "".join(parts).encode("latin-1"))
