"""An idle session stays established for a minute, and only heartbeats are exchanged."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from interop.ours import OurSide
from interop.pairing import Pairing
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.signing import Signer

IDLE = 60.0
HEART_BT_INT = 10
"""In seconds. QuickFIX's heartbeats may be up to 2 s late, because QuickFIX checks its clock after a second
without data. With a HeartBtInt of 5 s, that delay would exceed our grace period (a fifth of
HeartBtInt), and our side would send a TestRequest."""


def test_an_idle_session_stays_established_for_a_minute(
    tmp_path: Path, dictionaries: dict[str, Path], signer: Signer
) -> None:
    settings = {"HeartBtInt": str(HEART_BT_INT)}
    with contextlib.ExitStack() as stack:
        sessions = []
        for role in Role:
            folder = tmp_path / role.value
            folder.mkdir()
            pairing = stack.enter_context(Pairing(role, folder, dictionaries, signer, settings=settings))
            ours, _logged_on = pairing.connect(MemoryStore(), heart_bt_int=HEART_BT_INT)
            sessions.append((pairing, ours))

        # Both pairs of roles run in the same minute. A TestRequest or the end of a session would be an event.
        until = time.monotonic() + IDLE
        for _pairing, ours in sessions:
            ours.expect_nothing(until - time.monotonic())

        for pairing, ours in sessions:
            check(pairing, ours)


def check(pairing: Pairing, ours: OurSide) -> None:
    ours.log_out()
    pairing.peer.inbox.wait_until_logged_out()
    assert pairing.peer.inbox.is_empty()
    for passed, number_after in (
        (ours.outgoing.passed, ours.session.next_outgoing),
        (ours.incoming.passed, ours.session.next_incoming),
    ):
        heartbeats = passed["0"]
        assert passed == {"A": 1, "0": heartbeats, "5": 1}
        assert IDLE / (HEART_BT_INT + 2) - 1 <= heartbeats <= IDLE / HEART_BT_INT + 1
        assert number_after == heartbeats + 3
    assert pairing.peer.next_incoming == ours.session.next_outgoing
