"""A resend of 20,000 messages from and to QuickFIX, in both roles, and our peak memory during it.

The measure is the peak of Python's allocations according to `tracemalloc`, from just before the connection to
the end of the resend. The peak includes all of our side. For QuickFIX, which is written in C++, it includes
only the fields of the message last passed to Python. The resident size of the process would be meaningless:
QuickFIX keeps its messages, copies of them and a log in the same process.
"""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.pairing import Pairing
from interop.peer import Fields, Inbox
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import (
    Event,
    GapClosed,
    GapDetected,
    MessageReceived,
    ResendServed,
)
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.signing import Signer

COUNT = 20_000
NAMES = tuple(f"m-{number:05}" for number in range(1, COUNT + 1))
RESEND_PATIENCE = 240.0
"""Timeout of the resend in seconds; the resend takes about ten seconds, mostly in QuickFIX."""
PATIENT_SETTINGS = {"MaxLatency": "240"}
"""Setting of QuickFIX: a message may be as old as the resend's timeout."""
MARGIN = 2 * 1024 * 1024
"""Bytes that our side may allocate in addition to the messages. It is less than half the messages' size.

When our side resends, the messages are already in its store; when it receives, its user keeps none of them.
In the first case the margin covers two parts of the resend (256 KiB each: one is being written, one
produced), in the second the data of one read (64 KiB); in both, it also covers some copies, the decoded
messages, and the decoders that the codec compiles.
"""


class Checklist:
    """Compares received messages with the expected ones without keeping them."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.size = 0
        self.wrong: str | None = None
        self._count = 0

    def check_off(self, name: str, number: int, size: int, *, poss_dup: bool) -> None:
        expected = NAMES[self._count]
        if (name, number, poss_dup) != (expected, self._count + 1, True) and self.wrong is None:
            self.wrong = f"expected {expected} again as number {self._count + 1}, got {name} as {number}"
        self._count += 1
        self.size += size
        if self._count == COUNT or self.wrong is not None:
            self.done.set()

    def wait(self) -> None:
        assert self.done.wait(RESEND_PATIENCE), f"only {self._count} of {COUNT} messages were received"
        assert self.wrong is None, self.wrong


class ChecklistInbox(Inbox):
    """The inbox of QuickFIX's user, which discards the messages of the resend and keeps all later ones."""

    def __init__(self) -> None:
        super().__init__()
        self.checklist = Checklist()

    def put(self, msg_type: str, fields: Fields) -> None:
        if self.checklist.done.is_set():
            super().put(msg_type, fields)
        else:
            size = sum(len(str(tag)) + len(value) + 2 for tag, value in fields.items())
            self.checklist.check_off(fields[11], int(fields[34]), size, poss_dup=fields.get(43) == "Y")


@pytest.fixture
def start_measurement() -> Iterator[Callable[[], None]]:
    """Return a function that starts the measurement; the end of the test stops it."""
    yield tracemalloc.start
    tracemalloc.stop()


def check_growth(checklist: Checklist) -> None:
    _now, peak = tracemalloc.get_traced_memory()
    assert peak < MARGIN < checklist.size / 2, (
        f"{peak} bytes allocated at the peak, for {checklist.size} bytes of messages"
    )


def test_a_large_resend_to_the_peer_needs_little_memory(
    role: Role,
    tmp_path: Path,
    dictionaries: dict[str, Path],
    signer: Signer,
    start_measurement: Callable[[], None],
) -> None:
    inbox = ChecklistInbox()
    with Pairing(role, tmp_path, dictionaries, signer, inbox=inbox, settings=PATIENT_SETTINGS) as pairing:
        store = pairing.store(NAMES)
        start_measurement()
        ours, _logged_on = pairing.connect(store, sending_time_tolerance=RESEND_PATIENCE)
        inbox.checklist.wait()
        served = ours.expect(ResendServed)
        check_growth(inbox.checklist)
        assert served.resent == COUNT

        ours.send(pairing.our_message("after"))
        after = inbox.take(pairing.our_type)
        assert after[11] == "after"
        assert 43 not in after
        ours.log_out()
        assert inbox.is_empty()


def test_a_large_resend_from_the_peer_needs_little_memory(
    role: Role,
    tmp_path: Path,
    dictionaries: dict[str, Path],
    signer: Signer,
    start_measurement: Callable[[], None],
) -> None:
    checklist = Checklist()

    def take(event: Event) -> bool:
        if not isinstance(event, MessageReceived) or checklist.done.is_set():
            return False
        name: str = event.message.cl_ord_id  # type: ignore[attr-defined]
        number: int = event.message.header.msg_seq_num
        checklist.check_off(name, number, len(event.frame), poss_dup=event.poss_dup)
        return True

    with Pairing(role, tmp_path, dictionaries, signer, queued=NAMES, settings=PATIENT_SETTINGS) as pairing:
        start_measurement()
        ours, _logged_on = pairing.connect(MemoryStore(), take, sending_time_tolerance=RESEND_PATIENCE)
        assert ours.expect(GapDetected) == GapDetected(1, COUNT, recoverable=True)
        checklist.wait()
        ours.expect(GapClosed)
        check_growth(checklist)

        pairing.peer.send(*pairing.their_message("after"))
        after = ours.expect(MessageReceived)
        assert after.message.cl_ord_id == "after"  # type: ignore[attr-defined]
        assert not after.poss_dup
        ours.log_out()
