"""Compares the client's journal and store with the bytes on the wire and with the venue's records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from kalshi_fix_adapters.stores import StoreSummary
from kalshi_fix_sansio import DIALECT, Logon, SequenceReset
from kalshi_fix_sansio.config import STALE_TYPES
from kalshi_fix_sansio.events import Uncertainty
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import CODEC
from tests.kill.entries import DELIVERY_KINDS
from tests.kill.journal import Entry, read
from tests.kill.knowledge import Knowledge
from tests.kill.rows import FILL, rows_of
from tests.kill.venue import TradingVenue

_ENVELOPE = frozenset({b"8", b"9", b"34", b"43", b"49", b"52", b"56", b"122", b"10"})
"""Tags that may differ when a message is resent."""
HARMLESS_KINDS = frozenset(
    {
        *("opened", "intention", "sent", "never sent", "report", "refusal", "reject", "unknown"),
        *("logged on", "skipped", "ended", "connect failed"),
        *("Connecting", "Disconnected", "GapDetected", "GapClosed", "ResendServed"),
    }
)
"""Kinds of journal entries that may occur. Other kinds, such as lost messages or a client that gave up, are
failures.
"""


@attrs.define
class Totals:
    """Totals of a series of processes."""

    orders: int
    received: int
    fills: int
    resent: int
    """Number of messages from both sides that were resent on the wire."""
    duplicates: int
    """Number of messages that were redelivered to the client, marked as possible duplicates."""
    unknown: int
    """Number of requests whose outcome was reported to the client as unknown."""
    unknown_at_venue: int
    """Number of these requests that the venue had received."""
    never_sent: int

    def __str__(self) -> str:
        return (
            f"{self.orders} requests intended, {self.never_sent} never sent, {self.received} received by the "
            f"venue, {self.fills} fills; {self.resent} messages resent, {self.duplicates} redelivered and "
            f"marked; outcomes reported as unknown: {self.unknown}, {self.unknown_at_venue} of them "
            "for requests that the venue had received"
        )


class Wire:
    """The messages in one direction, across all connections, and their sequence numbers."""

    def __init__(self, streams: Iterable[bytearray]) -> None:
        self.originals: dict[int, bytes] = {}
        """Content of application messages, by sequence number."""
        self.resent = Counter[str]()
        """Resent application messages, by MsgType."""
        self._session_numbers: set[int] = set()
        """Sequence numbers of session messages."""
        self.last = 0
        self._filled_ranges: list[tuple[int, int]] = []
        for stream in streams:
            framer = Framer(DIALECT.begin_string)
            framer.feed(bytes(stream))
            while isinstance(frame := framer.next(), Frame):
                self._record(CODEC.decode(frame), frame.data)

    def _record(self, message: Any, frame: bytes) -> None:
        number, dup = message.header.msg_seq_num, message.header.poss_dup_flag is True
        assert not isinstance(message, Logon) or message.reset_seq_num_flag is not True, "numbers were reset"
        if isinstance(message, SequenceReset):
            assert message.gap_fill_flag is True, "numbers were skipped"
            if dup:
                self._filled_ranges.append((number, message.new_seq_no))
                return
        if not dup:
            assert number > self.last, f"number {number} was used twice"
            self.last = number
        if DIALECT.messages[message.MSG_TYPE].admin:
            self._session_numbers.add(number)
            return
        assert number not in self._session_numbers, f"number {number} was already used by a session message"
        self.resent[message.MSG_TYPE] += dup
        content = content_of(frame)
        assert self.originals.setdefault(number, content) == content, f"two messages have the number {number}"

    def filled_numbers(self) -> set[int]:
        """Return the numbers that gap fills covered."""
        return {number for begin, end in self._filled_ranges for number in range(begin, end)}


def content_of(frame: bytes) -> bytes:
    fields = frame.split(b"\x01")
    return b"\x01".join(field for field in fields if field.partition(b"=")[0] not in _ENVELOPE)


def reconcile(folder: Path, venue: TradingVenue, summary: StoreSummary) -> Totals:
    """Compare everything, including the final store; raise AssertionError for the first difference."""
    entries, record = read(folder / "journal"), venue.record
    known = Knowledge()
    known.read(entries)
    from_client = Wire(client for client, _ in record.wires)
    from_venue = Wire(venue for _, venue in record.wires)
    _check_events(entries)
    duplicates = _check_deliveries(entries, from_venue)
    _check_numbers(entries, known, from_client)
    check_requests(known, venue, from_client)
    assert known.fills == record.fills
    assert known.position == venue.position()
    left = {name: quantity for name, (_, quantity) in known.open.items()}
    assert venue.leaves_qty_of(list(known.intended)) == left
    assert not from_venue.filled_numbers() & from_venue.originals.keys(), "the venue did not resend a report"
    assert not summary.open_requests
    fills = {key.removeprefix(FILL) for key in rows_of(summary) if key.startswith(FILL)}
    assert fills == record.fills.keys()
    assert (summary.next_outgoing, summary.next_incoming) == (from_client.last + 1, from_venue.last + 1)
    return Totals(
        orders=len(known.intended),
        received=record.received.total(),
        fills=len(record.fills),
        resent=from_client.resent.total() + from_venue.resent.total(),
        duplicates=duplicates,
        unknown=len(known.uncertain),
        unknown_at_venue=len(known.uncertain.keys() & record.received.keys()),
        never_sent=len(known.never_sent),
    )


def _check_events(entries: Sequence[Entry]) -> None:
    """Check that no message was lost and that the client did not give up. The LoggedOn event that
    reports new numbers may be repeated until it is confirmed."""
    incoming = 1
    for entry in entries:
        assert entry["kind"] in HARMLESS_KINDS, entry
        incoming = entry.get("incoming") or incoming
        assert incoming == 1 or not entry.get("reset"), entry
        assert entry.get("reason") in {None, "CONNECTION_LOST"}, entry
        assert entry.get("error") in {None, "TlsError", "LogonFailedError"}, entry
        assert entry.get("gap_fill", True), entry


def _check_deliveries(entries: Sequence[Entry], from_venue: Wire) -> int:
    """Check that every message from the venue was delivered in order, and that redelivered messages were
    marked.

    A message that was confirmed before a request was sent must not be redelivered: the commit of the request
    includes all earlier confirmations. Later confirmations are written in the background. Return the number
    of redeliveries.
    """
    contents: dict[int, Entry] = {}
    duplicates = last = incoming = confirmed = durable = 0
    in_gap = rows_may_be_ahead = False
    delivered: list[int] = []
    for entry in entries:
        match entry["kind"]:
            case "opened":
                incoming = entry["incoming"] or 0
                assert entry["incoming"] is None or incoming > durable, (entry, durable)
                # MsgSeqNum of the last event with a row. A row is committed together with the confirmation of
                # its event.
                row = entry.get("row", 0)
                # Events without a row were not confirmed, so they must be delivered again.
                assert all(number >= incoming for number in delivered if number > row), (entry, delivered)
                # Rows may be ahead of the number in the store only if events were confirmed while a gap was
                # being filled. These events are delivered again, although their rows exist.
                assert row < incoming or rows_may_be_ahead or not row, (entry, delivered)
                last, in_gap, rows_may_be_ahead = 0, False, row >= incoming
                confirmed = durable = max(incoming - 1, 0)
            case "sent":
                durable = confirmed
                continue
            case "intention" | "never sent":
                continue
            case kind:
                # Taking an event confirms those before it. While a gap is being filled, confirmations do not
                # advance the number in the store, so that after a crash the gap is detected again.
                in_gap = (in_gap or kind == "GapDetected") and kind != "GapClosed"
                rows_may_be_ahead = rows_may_be_ahead or in_gap
                if not in_gap:
                    confirmed = max(confirmed, last)
        if entry["kind"] not in DELIVERY_KINDS:
            continue
        number = entry["seq"]
        assert number > last, f"{entry} was delivered after {last}"
        assert number >= incoming, f"{entry} was already confirmed"
        last = number
        delivered.append(number)
        content = {name: value for name, value in entry.items() if name != "dup"}
        if number in contents:
            assert entry["dup"], f"redelivered without a mark: {entry}"
            duplicates += 1
        else:
            assert number > max(contents, default=0), f"delivered too late: {entry}"
        assert contents.setdefault(number, content) == content
    assert contents.keys() == from_venue.originals.keys()
    return duplicates


def _check_numbers(entries: Sequence[Entry], known: Knowledge, from_client: Wire) -> None:
    """Check that no sequence number was used twice, including those of messages that never arrived."""
    assert len(set(known.sent.values())) == len(known.sent)
    sent = 0
    for entry in entries:
        if entry["kind"] == "opened":
            assert entry["outgoing"] is None or entry["outgoing"] > sent, entry
        elif entry["kind"] == "sent":
            sent = max(sent, entry["seq"])
    for cl_ord_id, number in known.sent.items():
        content = from_client.originals.get(number)
        assert content is None or b"\x0111=%b\x01" % cl_ord_id.encode() in content


def check_requests(known: Knowledge, venue: TradingVenue, from_client: Wire) -> None:
    """Check that every intended request has an outcome or was reported as unknown, and that the venue
    received exactly the answered requests, each once."""
    received = venue.record.received
    assert not known.unresolved
    assert known.answered == received.keys()
    assert set(received.values()) <= {1}
    assert set(venue.record.accepted.values()) <= {1}
    assert not known.never_sent & received.keys()
    assert not known.never_sent & known.sent.keys()
    assert not (+from_client.resent).keys() & STALE_TYPES, "an order was sent again"
    for cl_ord_id in known.never_sent:
        mark = b"\x0111=%b\x01" % cl_ord_id.encode()
        assert not any(mark in content for content in from_client.originals.values())
    for cl_ord_id, why in known.uncertain.items():
        # NOT_RESENT: the resend that the venue requested did not include this request, so the venue cannot
        # have received it. If the outcome is unknown for another reason, it may have received the request.
        assert why != Uncertainty.NOT_RESENT.name or cl_ord_id not in received, (cl_ord_id, why)
