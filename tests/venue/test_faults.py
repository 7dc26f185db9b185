"""Fault injection: the effect of each fault on the wire, and the unchanged state of the exchange."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    TEXTS,
    CxlRejReason,
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrdRejReason,
    OrdStatus,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import (
    CloseReason,
    GapDetected,
    MessageReceived,
)
from kalshi_fix_sansio.framing import Frame, Framer, Garbled
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.exchange import (
    PREDICTION,
    MarketResult,
    MarketState,
    SetMarketState,
)
from kalshi_fix_venue.exchange.orders import OrderSnapshot
from kalshi_fix_venue.input_log import InputLog, replay
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.operations.base import Operation
from kalshi_fix_venue.scenario.file import parse_scenario
from kalshi_fix_venue.sessions import fault_injection
from kalshi_fix_venue.sessions.armed_faults import MAX_ARMED
from tests.venue.exchange_harness import MARKET, NO_FEES
from tests.venue.venue_harness import (
    KEYS,
    Client,
    VenueHarness,
    amend,
    cancel,
    config,
    order,
    reports,
)

BUY, SELL = Side.BUY, Side.SELL


def armed_count(harness: VenueHarness) -> int:
    return len(harness.do("faults")["faults"])


def book(harness: VenueHarness) -> dict[str, OrderSnapshot]:
    """Return the exchange's open orders, by ClOrdID."""
    return {order.cl_ord_id: order for order in harness.venue.exchange(PREDICTION).open_orders()}


def garbage_size(client: Client) -> int:
    """Return the number of received bytes that are not part of a message."""
    framer, size = Framer(), 0
    framer.feed(bytes(client.wire))
    while (found := framer.next()) is not None:
        if not isinstance(found, Frame):
            assert isinstance(found, Garbled)
            size += found.size
    return size + framer.pending


# --- target, time and count -----------------------------------------------------------------------------


def test_random_faults_are_reproducible_for_a_seed() -> None:
    def faults_that_fired(seed: int) -> tuple[list[bool], bytes]:
        harness = VenueHarness(seed)
        ann = harness.connect("ann")
        harness.do("reject", text="INTERNAL_ERROR", times=0, chance=0.5)
        for number in range(40):
            ann.send(order(f"o{number}", BUY, 1, "0.10"))
        return [report.exec_type == ExecType.REJECTED for report in reports(ann)], bytes(ann.wire)

    first, wire = faults_that_fired(1)
    assert 5 < sum(first) < 35
    assert faults_that_fired(1) == (first, wire)
    assert faults_that_fired(2)[0] != first


def test_armed_faults_are_bounded(harness: VenueHarness) -> None:
    for _ in range(MAX_ARMED):
        harness.do("busy")
    with pytest.raises(ConfigurationError, match="release some"):
        harness.do("busy")
    assert armed_count(harness) == MAX_ARMED
    harness.do("cut")  # A fault that acts immediately does not count as armed.


# --- connection losses ----------------------------------------------------------------------------------


def test_a_connection_can_be_cut_before_it_has_logged_on(harness: VenueHarness) -> None:
    conn = harness.venue.connection_made("prediction", "KalshiNR", harness.now)
    assert harness.do("cut")["text"] == "1 connection cut"
    assert harness.venue.should_close(conn)
    harness.venue.receive_data(conn, b"anything", harness.now)
    assert harness.venue.data_to_send(conn) == b""
    harness.venue.receive_eof(conn, harness.now)
    assert harness.do("cut") == {"text": "0 connections cut", "keys": []}


def test_a_report_cut_in_the_middle_is_recovered_by_a_resend(harness: VenueHarness) -> None:
    store = MemoryStore()
    ann = harness.connect("ann", "KalshiRT", store=store)
    harness.do("cut", at="frame", message="ExecutionReport")
    before = len(ann.wire)
    ann.send(order("a", BUY, 5, "0.40"))
    arrived = bytes(ann.wire[before:])
    assert arrived.startswith(b"8=FIXT.1.1\x019=")
    assert not arrived.endswith(b"\x01")
    assert ann.take() == []
    assert not ann.session.is_established
    assert set(book(harness)) == {"a"}
    reconnected = harness.connect("ann", "KalshiRT", store=store)
    (report,) = reports(reconnected)
    assert (report.cl_ord_id, report.exec_type) == ("a", ExecType.NEW)


def test_the_request_at_which_the_connection_is_cut_is_never_read(harness: VenueHarness) -> None:
    store = MemoryStore()
    ann = harness.connect("ann", "KalshiRT", store=store)
    ann.send(order("a", BUY, 5, "0.40"))
    harness.do("cut", at="request", message="D")
    expected = harness.venue.seq_nums(KEYS["ann"].key_id, "KalshiRT")
    ann.send(order("b", BUY, 5, "0.41"))
    assert ann.session_end().reason is CloseReason.CONNECTION_LOST
    assert set(book(harness)) == {"a"}
    assert harness.venue.seq_nums(KEYS["ann"].key_id, "KalshiRT") == expected


def test_a_cut_takes_effect_at_the_same_request_however_the_bytes_are_split() -> None:
    for size in (1, 7, 1000):
        harness = VenueHarness()
        ann = harness.connect("ann")
        harness.do("cut", at="request", skip=1)
        for name in "abc":
            ann.session.send(order(name, BUY, 1, "0.10"), harness.now)
        data = ann.session.data_to_send()
        for at in range(0, len(data), size):
            harness.venue.receive_data(ann.conn, data[at : at + size], harness.now)
        harness.run()
        assert set(book(harness)) == {"a"}
        assert ann.session_end().reason is CloseReason.CONNECTION_LOST


def test_a_cut_that_waits_for_a_request_ignores_heartbeats_and_garbage(
    harness: VenueHarness, ann: Client
) -> None:
    harness.do("cut", at="request", message="F")
    ann.session.test_request(harness.now, test_req_id="there?")
    harness.run()
    ann.send(order("a", BUY, 1, "0.10"))
    assert set(book(harness)) == {"a"}
    assert len(reports(ann)) == 1
    harness.venue.receive_data(ann.conn, b"garbage, longer than the head of a message would be", harness.now)
    ann.send(order("b", BUY, 1, "0.10"))
    assert set(book(harness)) == {"a", "b"}
    ann.send(cancel("c", "a"))
    assert set(book(harness)) == {"a", "b"}
    assert not ann.session.is_established


# --- delays and losses ----------------------------------------------------------------------------------


def test_a_delayed_logout_is_sent_before_the_connection_closes(harness: VenueHarness, ann: Client) -> None:
    harness.do("delay", by=1)
    ann.logout()
    assert not harness.venue.should_close(ann.conn)
    harness.wait(1)
    assert ann.session_end().clean


def test_delayed_output_is_bounded() -> None:
    harness = VenueHarness(max_unsent=4000)
    ann = harness.connect("ann")
    harness.do("silence")
    for number in range(40):
        ann.session.send(order(f"o{number}", BUY, 1, "0.10"), harness.now)
    harness.run()
    assert ann.session_end().reason is CloseReason.CONNECTION_LOST


def test_heartbeats_are_delayed_and_other_messages_are_not(harness: VenueHarness) -> None:
    ann = harness.connect("ann", heart_bt_int=10)
    harness.do("late-heartbeats", by=4)
    before = len(ann.wire)
    harness.wait(10.5)
    assert len(ann.wire) == before
    ann.send(order("a", BUY, 1, "0.10"))  # The delayed heartbeat has the lower number, so it is sent first.
    assert bytes(ann.wire[before:]).count(b"\x0135=0\x01") == 1
    assert len(reports(ann)) == 1
    assert ann.session.is_established
    before = len(ann.wire)
    harness.wait(13)
    assert len(ann.wire) == before
    harness.wait(1.5)
    assert b"\x0135=0\x01" in bytes(ann.wire[before:])


def test_withheld_reports_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_injection, "MAX_WITHHELD", 3)
    harness = VenueHarness()
    ann = harness.connect("ann")
    harness.do("withhold")
    for number in range(4):
        assert ann.take() == []
        ann.send(order(f"o{number}", BUY, 1, "0.10"))
    assert [report.cl_ord_id for report in reports(ann)] == ["o0", "o1", "o2", "o3"]
    assert armed_count(harness) == 0


# --- messages in transit --------------------------------------------------------------------------------


GAPS = [("gap", {}), *(("garble", {"how": how}) for how in ("checksum", "body-length", "cut-short"))]


@pytest.mark.parametrize(("name", "values"), GAPS, ids=str)
def test_a_lost_report_is_recovered_by_a_resend(
    harness: VenueHarness, name: str, values: dict[str, str]
) -> None:
    ann = harness.connect("ann", "KalshiRT")
    harness.do(name, **values)
    ann.send(order("a", BUY, 1, "0.10"))
    assert ann.take() == []
    ann.send(order("b", BUY, 1, "0.10"))
    harness.wait(1)
    received = [event for event in ann.events if isinstance(event, MessageReceived)]
    assert [event.message.cl_ord_id for event in received] == ["a", "b"]  # type: ignore[attr-defined]
    assert received[0].poss_dup
    assert any(isinstance(event, GapDetected) for event in ann.events)
    assert (garbage_size(ann) > 0) is (name == "garble")


def test_several_messages_of_one_type_can_be_lost(harness: VenueHarness) -> None:
    ann = harness.connect("ann", "KalshiRT")
    harness.do("gap", message="8", times=3)
    ann.send(cancel("c", "nothing"))
    assert len(ann.take()) == 1
    for number in range(4):
        ann.send(order(f"o{number}", BUY, 1, "0.10"))
    harness.wait(1)
    assert [report.cl_ord_id for report in reports(ann)] == ["o0", "o1", "o2", "o3"]


def test_a_duplicate_has_its_original_number_and_is_delivered_once(harness: VenueHarness) -> None:
    ann, bob = harness.connect("ann", "KalshiRT"), harness.connect("bob")
    harness.do("duplicate", times=0)
    bob.send(order("b", SELL, 5, "0.40"))
    ann.send(order("a", BUY, 2, "0.40"))
    assert len(reports(ann)) == 1
    assert len(reports(bob)) == 2
    messages = [frame for frame in bytes(ann.wire).split(b"8=FIXT.1.1\x01") if b"\x0135=8\x01" in frame]
    assert len(messages) == 2
    first, second = ({field[:3]: field for field in message.split(b"\x01")} for message in messages)
    assert (b"43=" in first, second[b"43="]) == (False, b"43=Y")
    assert second[b"34="] == first[b"34="]
    assert second[b"122"] == b"122=" + first[b"52="][3:]
    assert garbage_size(ann) == 0
    ann.send(order("a2", BUY, 1, "0.10"))
    assert len(reports(ann)) == 1


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({}, (b"49=Nobody", b"56=" + KEYS["ann"].key_id.encode())),
        ({"sender": "KalshiNR", "target": "other"}, (b"49=KalshiNR", b"56=other")),
    ],
    ids=["sender", "target"],
)
def test_a_message_with_wrong_comp_ids_is_refused_by_the_client(
    harness: VenueHarness, ann: Client, values: dict[str, str], fields: tuple[bytes, bytes]
) -> None:
    harness.do("wrong-comp-ids", **values)
    before = len(ann.wire)
    ann.send(order("a", BUY, 1, "0.10"))
    arrived = bytes(ann.wire[before:]).split(b"\x01")
    assert all(field in arrived for field in fields)
    assert reports(ann) == []
    assert not ann.session.is_established
    assert set(book(harness)) == {"a"}
    assert garbage_size(ann) == 0


# --- forged answers -------------------------------------------------------------------------------------

_ORDER_TEXTS = [text for kind, text in TEXTS if kind == ExecutionReport.MSG_TYPE]
_CHANGE_TEXTS = [text for kind, text in TEXTS if kind == OrderCancelReject.MSG_TYPE]


@pytest.mark.parametrize("text", [*_ORDER_TEXTS, "SOMETHING_NEW"])
def test_an_order_is_refused_with_the_given_text_and_its_code(
    harness: VenueHarness, ann: Client, text: str
) -> None:
    harness.do("reject", text=text)
    ann.send(order("a", BUY, 5, "0.40"))
    (report,) = reports(ann)
    known = TEXTS.get((ExecutionReport.MSG_TYPE, text))
    assert (report.cl_ord_id, report.text) == ("a", text)
    assert report.leaves_qty == 0
    if known is not None and known.attribute == "exec_type":
        assert (report.exec_type, report.ord_status) == (ExecType.CANCELED, OrdStatus.CANCELED)
        assert report.ord_rej_reason is None
    else:
        assert (report.exec_type, report.ord_status) == (ExecType.REJECTED, OrdStatus.REJECTED)
        assert report.ord_rej_reason == (OrdRejReason.OTHER if known is None else known.code)
    assert book(harness) == {}
    ann.send(order("a", BUY, 5, "0.40"))
    assert set(book(harness)) == {"a"}


@pytest.mark.parametrize("text", [*_CHANGE_TEXTS, "SOMETHING_NEW"])
@pytest.mark.parametrize("request_", [cancel("c", "a"), amend("c", "a", 3)], ids=["cancel", "amend"])
def test_a_change_is_refused_with_the_given_text_and_its_code(
    harness: VenueHarness, ann: Client, text: str, request_: Message
) -> None:
    ann.send(order("a", BUY, 5, "0.40"))
    ann.take()
    harness.do("reject", text=text)
    before = book(harness)
    refusal = ann.answer_to(request_, OrderCancelReject)
    known = TEXTS.get((OrderCancelReject.MSG_TYPE, text))
    assert refusal.text == text
    assert refusal.ord_status == OrdStatus.NEW
    assert refusal.order_id == before["a"].order_id
    assert refusal.cxl_rej_reason == (CxlRejReason.OTHER if known is None else known.code)
    assert book(harness) == before


# --- the state of the exchange --------------------------------------------------------------------------


@attrs.define
class Trial:
    """A random history of orders and faults."""

    harness: VenueHarness
    random: Random
    names: Sequence[str] = ("ann", "bob")
    clients: dict[str, Client] = attrs.field(factory=dict)
    stores: dict[str, MemoryStore] = attrs.field(factory=dict)
    sent: int = 0

    def step(self) -> None:
        name = self.random.choice(self.names)
        client = self.clients.get(name)
        if client is None or not client.session.is_established:
            if client in self.harness.clients:
                self.harness.wait(5)
            self.stores[name] = MemoryStore()
            self.clients[name] = self.harness.connect(name, "KalshiRT", store=self.stores[name], reset=True)
            return
        if self.random.random() < 0.3:
            self.harness.perform(self._fault())
            return
        self.sent += 1
        side = self.random.choice((BUY, SELL))
        price = Decimal(self.random.randint(35, 45)) / 100
        client.send(order(f"{name}-{self.sent}", side, self.random.randint(1, 9), str(price)))
        self.harness.wait(self.random.random())

    def _fault(self) -> Operation:
        seconds = self.random.random() * 5
        faults: tuple[tuple[str, dict[str, Any]], ...] = (
            *(("cut", {"at": at}) for at in ("now", "frame", "request", "reply")),
            ("delay", {"by": seconds, "lasting": 3}),
            ("silence", {"lasting": seconds}),
            ("withhold", {"lasting": seconds}),
            ("gap", {}),
            ("garble", {"how": self.random.choice(("checksum", "body-length", "cut-short"))}),
            ("duplicate", {}),
            ("wrong-comp-ids", {}),
            ("reject", {"text": "INTERNAL_ERROR"}),
            ("unavailable", {"applied": self.random.random() < 0.5}),
            ("throttle", {}),
            ("busy", {}),
            ("hold-key", {"lasting": 1}),
            ("release", {}),
        )
        return operation(*self.random.choice(faults))


@pytest.mark.parametrize("seed", range(6))
def test_cash_is_conserved_despite_all_faults(seed: int) -> None:
    trial = Trial(VenueHarness(seed, fees={PREDICTION: NO_FEES}), Random(seed))
    for _ in range(150):
        trial.step()
        assert _total_value(trial.harness) == 2000
    venue, now = trial.harness.venue, trial.harness.now
    exchange = venue.exchange(PREDICTION)
    assert trial.sent > 30
    nets = [account.holding(MARKET).position.net for account in exchange.accounts()]
    assert sum(nets) == 0
    assert any(nets)
    for state in (MarketState.DETERMINED, MarketState.SETTLED):
        venue.execute(PREDICTION, SetMarketState(MARKET, state, MarketResult.YES), now)
    assert sum(account.balance for account in exchange.accounts()) == 2000
    assert all(not account.reserved for account in exchange.accounts())
    assert book(trial.harness) == {}


def _total_value(harness: VenueHarness) -> Decimal:
    """Return all cash, plus the payout of all contracts if the result were YES: a contract pays one dollar to
    one of its two sides.
    """
    accounts = harness.venue.exchange(PREDICTION).accounts()
    return sum((account.balance + account.holding(MARKET).position.long for account in accounts), Decimal(0))


@pytest.mark.parametrize("seed", range(3))
def test_an_input_log_with_faults_can_be_replayed_with_the_same_result(seed: int, tmp_path: Path) -> None:
    with InputLog(tmp_path / "input-log") as input_log:
        harness = VenueHarness(seed)
        harness.venue = input_log.open_venue(config(), Random(seed))
        trial = Trial(harness, Random(seed))
        for _ in range(80):
            trial.step()
    found = replay(tmp_path / "input-log")
    assert found.difference is None
    assert found.matches_log
    assert found.sent > 5000


def test_a_scenario_can_schedule_a_cut() -> None:
    text = b"schedule: [{when: 90s, do: cut, at: reply, message: NewOrderSingle}]"
    (step,) = parse_scenario(text).steps
    assert (step.after, step.operation) == (90, operation("cut", {"at": "reply", "message": "D"}))
