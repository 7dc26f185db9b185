"""One side stops answering on an open connection: the other sends a TestRequest, then ends the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.pairing import Pairing
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import (
    CloseReason,
    GapClosed,
    GapDetected,
    PeerSilent,
    ResendServed,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.signing import Signer

HEART_BT_INT = 3
"""The minimum that Kalshi allows, in seconds. QuickFIX sends a TestRequest after 1.2 intervals and ends the
session after 2.4, at its next one-second tick. Our side sends a TestRequest after 1.2 intervals, and ends the
session 1.2 intervals later."""


@pytest.fixture
def pairing(role: Role, tmp_path: Path, dictionaries: dict[str, Path], signer: Signer) -> Iterator[Pairing]:
    settings = {"HeartBtInt": str(HEART_BT_INT)}
    with Pairing(role, tmp_path, dictionaries, signer, settings=settings) as pairing:
        yield pairing


def test_quickfix_ends_the_session_when_our_side_falls_silent(pairing: Pairing) -> None:
    # QuickFIX sends no heartbeats while it waits for an answer, so our side may send a TestRequest too.
    ours, logged_on = pairing.connect(
        MemoryStore(), lambda event: isinstance(event, PeerSilent), heart_bt_int=HEART_BT_INT
    )
    assert logged_on.heart_bt_int == HEART_BT_INT
    ours.outgoing.drop_every()

    pairing.peer.inbox.wait_until_logged_out()
    ended = ours.expect(SessionEnded)
    assert ended.reason is CloseReason.CONNECTION_LOST
    assert not ended.clean
    # Our side was alive the whole time: it answered the TestRequest before the end.
    assert ours.incoming.passed["1"] >= 1
    assert any(b"\x0135=0\x01" in frame and b"\x01112=TEST\x01" in frame for frame in ours.outgoing.dropped)


def test_our_side_ends_the_session_when_the_peer_falls_silent(pairing: Pairing) -> None:
    ours, _logged_on = pairing.connect(MemoryStore(), heart_bt_int=HEART_BT_INT)
    ours.incoming.drop_every()

    requested = ours.expect(PeerSilent)
    ended = ours.expect(SessionEnded)
    assert ended.reason is CloseReason.PEER_SILENT
    assert not ended.clean
    pairing.peer.inbox.wait_until_logged_out()
    # Like all other messages, the answer did not reach us.
    assert any(f"\x01112={requested.test_req_id}\x01".encode() in frame for frame in ours.incoming.dropped)
    assert ours.outgoing.passed["1"] == 1
    assert ours.outgoing.passed["5"] == 1


def test_losing_one_of_our_heartbeats_causes_a_test_request(pairing: Pairing) -> None:
    # On a busy machine our side, which receives no message while QuickFIX waits, may send a TestRequest too.
    ours, _logged_on = pairing.connect(
        MemoryStore(), lambda event: isinstance(event, PeerSilent), heart_bt_int=HEART_BT_INT
    )
    ours.outgoing.drop_next("0")
    # QuickFIX sends a TestRequest; the answer shows that a message is missing, which a gap fill replaces.
    assert ours.expect(ResendServed).resent == 0
    assert ours.incoming.passed["1"] == 1
    pairing.exchange(ours, "after")
    ours.log_out()


def test_losing_one_of_the_peers_heartbeats_causes_a_test_request(pairing: Pairing) -> None:
    ours, _logged_on = pairing.connect(MemoryStore(), heart_bt_int=HEART_BT_INT)
    ours.incoming.drop_next("0")
    ours.expect(PeerSilent)
    gap = ours.expect(GapDetected)
    assert ours.expect(SequenceSkipped).gap_fill
    ours.expect(GapClosed)
    assert gap.begin == gap.end == 2
    pairing.exchange(ours, "after")
    ours.log_out()
