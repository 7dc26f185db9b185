"""The other engine's initiator against our acceptor, on KalshiRT."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop import scene
from interop.fixcore_peer import FixcorePeer
from interop.ours import OurSide
from interop.peer import PATIENCE
from interop.quickfix_peer import QuickfixPeer
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import (
    CloseReason,
    GapClosed,
    GapDetected,
    LoggedOn,
    LogonRequested,
    LogoutReceived,
    MessageReceived,
    ResendServed,
    SessionEnded,
)
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.signing import Signer, logon_payload, verify_logon

Engine = type[QuickfixPeer] | type[FixcorePeer]
Pair = tuple[QuickfixPeer | FixcorePeer, OurSide]


@pytest.fixture
def pair(engine: Engine, tmp_path: Path, dictionaries: dict[str, Path], signer: Signer) -> Iterator[Pair]:
    """A client that uses the other engine, logged on to our venue with a signed Logon."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(PATIENCE)
        peer = engine(
            tmp_path,
            dictionaries[scene.PRODUCT],
            sender=scene.CLIENT,
            target=scene.VENUE,
            sign=lambda *logon: signer(logon_payload(*logon)),
            connect_to=listener.getsockname()[1],
        )
        stack.callback(peer.close)
        sock, _address = listener.accept()
        ours = OurSide(sock, scene.config(Role.ACCEPTOR), MemoryStore())
        stack.callback(ours.close)
        request = ours.expect(LogonRequested)
        assert verify_logon(signer.verifier, request)
        ours.call(lambda session, now: session.accept_logon(now))
        ours.expect(LoggedOn)
        peer.inbox.wait_until_logged_on()
        yield peer, ours


def test_an_order_is_reported_and_the_peer_logs_out(pair: Pair) -> None:
    peer, ours = pair
    peer.send("D", scene.order_fields("b-1"))
    received = ours.expect(MessageReceived)
    assert received.message == scene.order("b-1")
    assert received.message.problems == ()

    ours.send(scene.report("b-1"))
    report = peer.inbox.take("8")
    assert report[17] == "exec-b-1"
    assert report[38] == "10.00"

    peer.close()
    ours.expect(LogoutReceived)
    ended = ours.expect(SessionEnded)
    assert ended.reason is CloseReason.LOGGED_OUT
    assert ended.clean


def test_our_logout_is_answered(pair: Pair) -> None:
    peer, ours = pair
    ours.call(lambda session, now: session.logout(now, text="closing for maintenance"))
    assert ours.expect(SessionEnded).clean
    peer.inbox.wait_until_logged_out()


def test_an_order_that_we_missed_is_requested_again(pair: Pair) -> None:
    peer, ours = pair
    ours.incoming.drop_next("D")
    peer.send("D", scene.order_fields("b-1"))
    peer.send("D", scene.order_fields("b-2"))

    gap = ours.expect(GapDetected)
    assert (gap.begin, gap.end, gap.recoverable) == (2, 2, True)
    missed = ours.expect(MessageReceived)
    assert missed.message == scene.order("b-1")
    assert missed.poss_dup
    assert ours.expect(MessageReceived).message == scene.order("b-2")
    ours.expect(GapClosed)


def test_a_report_that_the_peer_missed_is_resent(pair: Pair) -> None:
    peer, ours = pair
    ours.outgoing.drop_next("8")
    ours.send(scene.report("b-1"))
    ours.send(scene.report("b-2"))

    missed = peer.inbox.take("8")
    assert missed[17] == "exec-b-1"
    assert missed[43] == "Y"
    assert peer.inbox.take("8")[17] == "exec-b-2"
    assert ours.expect(ResendServed).resent >= 1
    assert peer.inbox.is_empty()
