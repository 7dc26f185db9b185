"""Where an answer to a routed message goes: back the way it came.

FIXT 1.1, "Standard message header": a message passed on by a third party names the firm it comes from and the
firm it is meant for; in the answer the two change places.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kalshi_fix_sansio import scalars
from kalshi_fix_sansio.errors import EncodeError

_FROM_TO = ((115, 128), (116, 129), (144, 145))
"""OnBehalfOfCompID and DeliverToCompID, their SubIDs, their LocationIDs."""
REVERSED: Mapping[int, int] = MappingProxyType(
    {**dict(_FROM_TO), **{there: here for here, there in _FROM_TO}}
)


def reply_route(header: Any) -> dict[str, str]:
    """Return the header attributes of an answer to a message with this header, routing reversed.

    Empty for a message that was not routed, and for a dialect whose header has no routing fields. A value
    that is read but never sent, such as one with NUL in it, is left out.
    """
    members = header.LAYOUT.by_tag
    route = {}
    for tag, reverse in REVERSED.items():
        if tag in members and reverse in members:
            value = getattr(header, members[tag].attribute)
            if value is not None and _can_be_sent(value):
                route[members[reverse].attribute] = value
    return route


def _can_be_sent(value: str) -> bool:
    try:
        scalars.format_string(value)
    except EncodeError:
        return False
    return True
