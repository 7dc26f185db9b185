"""The true state of one direction, which no crash affects: the messages sent, and the fate of each.

The receiving user may take a message only if every earlier message was taken or reported as lost. A message
taken a second time must be marked as a possible duplicate.
"""

from __future__ import annotations

from typing import Any

import attrs

from kalshi_fix_sansio.dialect.base import Message
from tests.simulation.schedule import Side
from tests.simulation.violation import Violation

QUANTITY = 10
"""OrderQty of every order whose ClOrdID is not reused. Orders with a reused ClOrdID differ in OrderQty."""


@attrs.define
class Entry:
    """A message that an application sent."""

    uid: str
    message: Message
    epoch: int
    number: int
    position: int
    was_written: bool = False
    """Whether the process may have written the bytes of the message."""
    taken: bool = False
    lost: str = ""
    """How its loss was reported to the receiving user."""
    filled: bool = False
    """Whether the sender sent a gap fill instead of the message."""

    def __str__(self) -> str:
        return f"{self.uid} (number {self.number} of epoch {self.epoch})"


_ID_ATTRIBUTES = {"D": "cl_ord_id", "F": "cl_ord_id", "8": "exec_id", "9": "order_id", "W": "symbol"}
_ID_ATTRIBUTES |= {"S": "quote_id", "Z": "quote_id", "AI": "quote_req_id", "U9": "text"}
_ID_ATTRIBUTES |= {"R": "quote_req_id", "UE": "quote_req_id", "UMS": "market_settlement_report_id"}
"""By MsgType, the attribute that identifies a message among others of its type; the default is `rfq_id`."""
_CANCELS = frozenset({"F", "Z", "UE"})
"""Types of cancel requests, whose id may equal the id of the message that they cancel."""


def uid_of(message: Any) -> str:
    """Return the unique identifier of a simulated message."""
    kind = message.MSG_TYPE
    if kind == "V":
        return str(message.related_sym[0].symbol)
    uid = str(getattr(message, _ID_ATTRIBUTES.get(kind, "rfq_id")))
    if kind == "D" and message.order_qty != QUANTITY:
        return f"{uid} of {message.order_qty}"
    return f"cancel {uid}" if kind in _CANCELS else uid


class Ledger:
    """Messages of one direction, in the order of their sequence numbers."""

    def __init__(self, sender: Side) -> None:
        self.sender = sender
        self.entries: list[Entry] = []
        self.epoch = 0
        """The epoch of the sender's numbers, as known to the receiving user."""
        self.duplicates = 0
        self.losses_allowed = False
        """Whether a disk has lost committed changes. This voids all guarantees, so losses are not violations.
        """
        self._by_uid: dict[str, Entry] = {}
        self._by_number: dict[tuple[int, int], Entry] = {}
        self._settled = 0
        """All entries before this position were taken or are lost."""
        self._last = -1
        """Position of the last entry taken by the receiver's current process."""
        self._floor = (0, 0)
        """Epoch and number; messages with lower numbers are never redelivered, because their confirmations
        are durable.
        """

    # The sender

    def record_sent(self, message: Message, epoch: int, number: int) -> None:
        entry = Entry(uid_of(message), message, epoch, number, len(self.entries))
        self.entries.append(entry)
        self._by_uid[entry.uid] = entry
        self._by_number[epoch, number] = entry

    def record_written(self, epoch: int, number: int) -> Entry | None:
        """Record that the bytes of a message were written to the wire."""
        entry = self._by_number.get((epoch, number))
        if entry is not None:
            entry.was_written = True
        return entry

    def sender_restarted(self, epoch: int, next_outgoing: int) -> list[Entry]:
        """Remove and return the messages that are missing from the sender's store, oldest first."""
        gone: list[Entry] = []
        while self.entries and (self.entries[-1].epoch, self.entries[-1].number) >= (epoch, next_outgoing):
            entry = self.entries.pop()
            del self._by_uid[entry.uid], self._by_number[entry.epoch, entry.number]
            gone.append(entry)
            if entry.was_written and not self.losses_allowed:
                raise Violation("left early", f"{entry} was on the wire before the store had committed it")
        self._settled = min(self._settled, len(self.entries))
        return gone[::-1]

    def record_filled(self, epoch: int, begin: int, end: int) -> list[Entry]:
        """Record a gap fill and return the messages that it replaces."""
        found = [self._by_number[epoch, n] for n in range(begin, end) if (epoch, n) in self._by_number]
        for entry in found:
            entry.filled = True
        return found

    # The receiver

    def receiver_restarted(self, epoch: int, next_incoming: int) -> None:
        """Record that the receiver's process restarted from its store."""
        self._last = -1
        self._floor = (epoch, next_incoming)

    def record_taken(self, message: Any, *, poss_dup: bool) -> Entry:
        """Record that the receiving user took a message."""
        uid, number = uid_of(message), message.header.msg_seq_num
        entry = self._by_uid.get(uid)
        if entry is None:
            raise Violation("invented", f"{uid} was never sent")
        if entry.message != message:
            raise Violation("altered", f"{entry} was received as {message!r}")
        if entry.number != number:
            raise Violation("altered", f"{entry} was received with number {number}")
        if self.losses_allowed:
            entry.taken = True
            return entry
        if entry.taken:
            self.duplicates += 1
            if not poss_dup:
                raise Violation("unmarked", f"{entry} was received twice without PossDupFlag")
            if entry.epoch == self._floor[0] and number < self._floor[1]:
                raise Violation(
                    "repeated",
                    f"{entry} was redelivered, although all messages before {self._floor[1]} were confirmed",
                )
        if entry.position <= self._last:
            raise Violation("order", f"{entry} was received after {self.entries[self._last]}")
        self._last = entry.position
        for missing in self.entries[self._settled : entry.position]:
            if not missing.taken and not missing.lost:
                raise Violation(
                    "silent loss",
                    f"{entry} was received, but {missing} was neither received nor reported as lost",
                )
        entry.taken = True
        self._settled = max(self._settled, entry.position + 1)
        return entry

    def record_reset(self, epoch: int) -> None:
        """Record that the receiving user learned of a reset: earlier messages not received are lost."""
        self.epoch = epoch
        for entry in self.entries[self._settled :]:
            if not entry.taken and not entry.lost and entry.epoch < epoch:
                entry.lost = "reset"

    def record_lost(self, begin: int, end: int, how: str) -> list[Entry]:
        """Record that numbers were reported as lost to the receiving user, and return the messages among
        them."""
        found = [
            entry
            for n in range(begin, end + 1)
            if (entry := self._by_number.get((self.epoch, n))) is not None and not entry.taken
        ]
        for entry in found:
            entry.lost = entry.lost or how
        return found

    def at(self, number: int) -> Entry | None:
        """Return the message with this number in the receiver's epoch."""
        return self._by_number.get((self.epoch, number))

    def outstanding(self) -> list[Entry]:
        """Return the messages that were neither taken nor lost."""
        return [entry for entry in self.entries[self._settled :] if not entry.taken and not entry.lost]
