"""The unit of prices in a log: dollars or cents. If the unit depends on UseDollars, it is taken from the
client's Logon in the log.
"""

from __future__ import annotations

from kalshi_fix_adapters.cli.logs.explain import VENUE_IDS, comp_ids
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec import FieldNode, Inspection
from kalshi_fix_sansio.dialect.layout import BY_SESSION, FieldLayout

_LOGON = "A"
_USE_DOLLARS = next(tag for tag, field in DIALECT.fields.items() if field.attribute == "use_dollars")
_MAX_CLIENTS = 10_000


class Units:
    """Records for each API key whether its Logon requested dollars.

    `always_dollars` must be set for margin, where all prices are in dollars.
    """

    def __init__(self, *, always_dollars: bool = False) -> None:
        self._always_dollars = always_dollars
        self._units: dict[str, str] = {}
        """The unit of prices, "dollars" or "cents", by API key."""

    def record(self, inspection: Inspection) -> None:
        """Record the unit from a message, if it is the Logon of a client."""
        client, _ = comp_ids(inspection)
        if inspection.msg_type != _LOGON or client is None or client in VENUE_IDS:
            return
        use_dollars = [
            node.text for node in inspection.body if isinstance(node, FieldNode) and node.tag == _USE_DOLLARS
        ]
        if client in self._units or len(self._units) < _MAX_CLIENTS:
            self._units[client] = "dollars" if use_dollars == ["Y"] else "cents"

    def unit_of(self, field: FieldLayout, inspection: Inspection) -> str | None:
        """Return the unit of a field in a message, for display; None if it is unknown or the field has no
        unit.
        """
        if field.unit != BY_SESSION:
            return field.unit
        if self._always_dollars:
            return "dollars"
        return next((self._units[each] for each in comp_ids(inspection) if each in self._units), None)
