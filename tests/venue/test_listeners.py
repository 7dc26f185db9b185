"""Listeners on margin, and the scopes of keys that trade; dialogues/listeners.yaml tests all other cases."""

from __future__ import annotations

import attrs
import pytest

from kalshi_fix_sansio import Side
from kalshi_fix_sansio._generated.limits import READING_SCOPES, TRADING_SCOPES
from tests.venue.exchange_harness import PERP
from tests.venue.venue_harness import KEYS, VenueHarness, api_key, new_key, order, reports

BUY = Side.BUY


def test_margin_has_listeners_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEYS, "perp-reader", new_key("perp-reader"))
    reader = attrs.evolve(api_key("perp-reader"), scopes=frozenset({"read"}))
    harness = VenueHarness(api_keys=(api_key("perp"), reader))
    listener = harness.connect("perp-reader", product="margin", listener_session=True)
    listener.take()
    harness.connect("perp", product="margin").send(order("a1", BUY, 10, "19.5", symbol=PERP))
    assert [report.symbol for report in reports(listener)] == [PERP]


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [*(({READING_SCOPES[0], scope}, True) for scope in TRADING_SCOPES), ({READING_SCOPES[0]}, False)],
)
def test_a_key_needs_a_trading_scope_to_send_orders(scopes: set[str], allowed: bool) -> None:
    key = attrs.evolve(api_key("ann"), scopes=frozenset(scopes))
    ann = VenueHarness(api_keys=(key,)).connect("ann")
    ann.send(order("a1", BUY, 1, "0.40"))
    assert bool(reports(ann)) is allowed
