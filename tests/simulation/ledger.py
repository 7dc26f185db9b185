"""The truth about one direction: what was sent, what became of it, outside of every crash.

A message is taken by the receiving user, or the user was told that it is lost, before anything behind it is
taken. Taken twice, it is marked as a possible duplicate.
"""

from __future__ import annotations

from typing import Any

import attrs

from kalshi_fix_sansio.dialect.base import Message
from tests.simulation.schedule import Side
from tests.simulation.violation import Violation

QUANTITY = 10
"""What is ordered, unless orders are to be told apart by it that have one id."""


@attrs.define
class Entry:
    """A message that an application sent."""

    uid: str
    message: Message
    epoch: int
    number: int
    position: int
    left: bool = False
    """Whether its bytes could have left the process."""
    taken: bool = False
    lost: str = ""
    """How the receiving user was told that it does not come."""
    filled: bool = False
    """Whether the sender filled the gap in its place."""

    def __str__(self) -> str:
        return f"{self.uid} (number {self.number} of epoch {self.epoch})"


_NAMES = {"D": "cl_ord_id", "F": "cl_ord_id", "8": "exec_id", "9": "order_id", "W": "symbol"}
_NAMES |= {"S": "quote_id", "Z": "quote_id", "AI": "quote_req_id", "U9": "text"}
_NAMES |= {"R": "quote_req_id", "UE": "quote_req_id", "UMS": "market_settlement_report_id"}
"""Which attribute tells a message from others of its MsgType; of any other it is `rfq_id`."""
_CANCELS = frozenset({"F", "Z", "UE"})
"""These have the id of what they cancel, or one that it may have too."""


def uid_of(message: Any) -> str:
    """What tells a simulated message from every other."""
    kind = message.MSG_TYPE
    if kind == "V":
        return str(message.related_sym[0].symbol)
    uid = str(getattr(message, _NAMES.get(kind, "rfq_id")))
    if kind == "D" and message.order_qty != QUANTITY:
        return f"{uid} of {message.order_qty}"
    return f"cancel {uid}" if kind in _CANCELS else uid


class Ledger:
    """Messages of one direction, in the order in which they took their numbers."""

    def __init__(self, sender: Side) -> None:
        self.sender = sender
        self.entries: list[Entry] = []
        self.epoch = 0
        """What the receiver believes to be in."""
        self.duplicates = 0
        self.forgiven = False
        """Whether a disk lied, so that no promise holds."""
        self._by_uid: dict[str, Entry] = {}
        self._by_number: dict[tuple[int, int], Entry] = {}
        self._settled = 0
        """All entries before this position were taken or are lost."""
        self._last = -1
        """Position of the last one taken in this life of the receiver."""
        self._floor = (0, 0)
        """Epoch and number below which nothing is delivered again: it was confirmed, and that is durable."""

    # The sender

    def sent(self, message: Message, epoch: int, number: int) -> None:
        entry = Entry(uid_of(message), message, epoch, number, len(self.entries))
        self.entries.append(entry)
        self._by_uid[entry.uid] = entry
        self._by_number[epoch, number] = entry

    def left(self, epoch: int, number: int) -> Entry | None:
        """The bytes of a message went to the wire."""
        entry = self._by_number.get((epoch, number))
        if entry is not None:
            entry.left = True
        return entry

    def sender_restarted(self, epoch: int, next_outgoing: int) -> list[Entry]:
        """Take back what the sender's store does not know of; return it, oldest first."""
        gone: list[Entry] = []
        while self.entries and (self.entries[-1].epoch, self.entries[-1].number) >= (epoch, next_outgoing):
            entry = self.entries.pop()
            del self._by_uid[entry.uid], self._by_number[entry.epoch, entry.number]
            gone.append(entry)
            if entry.left and not self.forgiven:
                raise Violation("left early", f"{entry} was on the wire before its store was committed")
        self._settled = min(self._settled, len(self.entries))
        return gone[::-1]

    def filled(self, epoch: int, begin: int, end: int) -> list[Entry]:
        """Note a gap fill; return the messages it stands for."""
        found = [self._by_number[epoch, n] for n in range(begin, end) if (epoch, n) in self._by_number]
        for entry in found:
            entry.filled = True
        return found

    # The receiver

    def receiver_restarted(self, epoch: int, next_incoming: int) -> None:
        """The receiver's process begins a new life from its store."""
        self._last = -1
        self._floor = (epoch, next_incoming)

    def took(self, message: Any, *, poss_dup: bool) -> Entry:
        """The receiving user takes a message."""
        uid, number = uid_of(message), message.header.msg_seq_num
        entry = self._by_uid.get(uid)
        if entry is None:
            raise Violation("invented", f"{uid} was never sent")
        if entry.message != message:
            raise Violation("altered", f"{entry} came as {message!r}")
        if entry.number != number:
            raise Violation("altered", f"{entry} came under number {number}")
        if self.forgiven:
            entry.taken = True
            return entry
        if entry.taken:
            self.duplicates += 1
            if not poss_dup:
                raise Violation("unmarked", f"{entry} came twice without PossDupFlag")
            if entry.epoch == self._floor[0] and number < self._floor[1]:
                raise Violation(
                    "repeated", f"{entry} came again, though all before {self._floor[1]} was confirmed"
                )
        if entry.position <= self._last:
            raise Violation("order", f"{entry} came after {self.entries[self._last]}")
        self._last = entry.position
        for missing in self.entries[self._settled : entry.position]:
            if not missing.taken and not missing.lost:
                raise Violation(
                    "silent loss", f"{entry} came, but {missing} neither came nor was said to be lost"
                )
        entry.taken = True
        self._settled = max(self._settled, entry.position + 1)
        return entry

    def restarted(self, epoch: int) -> None:
        """The receiving user is told that the numbers restarted: what did not come of before is lost."""
        self.epoch = epoch
        for entry in self.entries[self._settled :]:
            if not entry.taken and not entry.lost and entry.epoch < epoch:
                entry.lost = "reset"

    def lost(self, begin: int, end: int, how: str) -> list[Entry]:
        """The receiving user is told that numbers do not come; return the messages among them."""
        found = [
            entry
            for n in range(begin, end + 1)
            if (entry := self._by_number.get((self.epoch, n))) is not None and not entry.taken
        ]
        for entry in found:
            entry.lost = entry.lost or how
        return found

    def at(self, number: int) -> Entry | None:
        """The message under a number of the receiver's epoch."""
        return self._by_number.get((self.epoch, number))

    def outstanding(self) -> list[Entry]:
        """What was neither taken nor is lost."""
        return [entry for entry in self.entries[self._settled :] if not entry.taken and not entry.lost]
