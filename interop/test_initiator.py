"""Our initiator against the other engine's acceptor, on KalshiRT."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from interop import scene
from interop.fixcore_peer import FixcorePeer
from interop.ours import OurSide
from interop.quickfix_peer import QuickfixPeer
from kalshi_fix_sansio import ExecType, OrdStatus, Side
from kalshi_fix_sansio.config import ResendFresh, Role
from kalshi_fix_sansio.events import (
    GapClosed,
    GapDetected,
    LoggedOn,
    MessageReceived,
    OutcomesUnknown,
    ResendServed,
)
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.signing import Signer

Engine = type[QuickfixPeer] | type[FixcorePeer]


@pytest.fixture
def peer(
    engine: Engine, tmp_path: Path, dictionaries: dict[str, Path]
) -> Iterator[QuickfixPeer | FixcorePeer]:
    """A venue that uses the other engine and answers every order with a report."""
    peer = engine(
        tmp_path,
        dictionaries[scene.PRODUCT],
        sender=scene.VENUE,
        target=scene.CLIENT,
        responder=scene.answer_order,
    )
    with contextlib.closing(peer):
        yield peer


@contextlib.contextmanager
def logged_on(
    peer: QuickfixPeer | FixcorePeer, signer: Signer, store: MemoryStore, **settings: Any
) -> Iterator[OurSide]:
    sock = socket.create_connection(("127.0.0.1", peer.port))
    ours = OurSide(sock, scene.config(Role.INITIATOR, sign_logon=signer.sign_logon, **settings), store)
    with contextlib.closing(ours):
        ours.expect(LoggedOn)
        peer.inbox.wait_until_logged_on()
        yield ours


def test_an_order_is_reported(peer: QuickfixPeer | FixcorePeer, signer: Signer) -> None:
    with logged_on(peer, signer, MemoryStore()) as ours:
        ours.send(scene.order("a-1"))

        order = peer.inbox.take("D")
        assert {tag: order[tag] for tag in scene.order_fields("a-1")} == scene.order_fields("a-1")
        received = ours.expect(MessageReceived)
        assert received.message == scene.report("a-1")
        assert received.message.problems == ()
        assert received.message.exec_type is ExecType.NEW
        assert received.message.ord_status is OrdStatus.NEW
        assert received.message.side is Side.BUY
        assert received.message.leaves_qty == Decimal(10)
        assert not received.poss_dup

        ours.log_out()
        peer.inbox.wait_until_logged_out()


def test_the_numbers_continue_on_the_next_connection(
    peer: QuickfixPeer | FixcorePeer, signer: Signer
) -> None:
    store = MemoryStore()
    with logged_on(peer, signer, store) as ours:
        assert ours.send(scene.order("a-1")) == 2
        ours.expect(MessageReceived)
        ours.log_out()
        peer.inbox.wait_until_logged_out()
    with logged_on(peer, signer, store) as ours:
        assert ours.send(scene.order("a-2")) == 5
        assert ours.expect(MessageReceived).message == scene.report("a-2")
        ours.log_out()


def test_a_report_that_we_missed_is_requested_again(peer: QuickfixPeer | FixcorePeer, signer: Signer) -> None:
    with logged_on(peer, signer, MemoryStore()) as ours:
        ours.incoming.drop_next("8")
        ours.send(scene.order("a-1"))
        peer.inbox.take("D")
        ours.send(scene.order("a-2"))

        gap = ours.expect(GapDetected)
        assert (gap.begin, gap.end, gap.recoverable) == (2, 2, True)
        missed = ours.expect(MessageReceived)
        assert missed.message == scene.report("a-1")
        assert missed.poss_dup
        assert ours.expect(MessageReceived).message == scene.report("a-2")
        ours.expect(GapClosed)

        ours.send(scene.order("a-3"))
        assert ours.expect(MessageReceived).message == scene.report("a-3")
        ours.log_out()


def test_an_order_that_the_peer_missed_is_resent(peer: QuickfixPeer | FixcorePeer, signer: Signer) -> None:
    with logged_on(peer, signer, MemoryStore()) as ours:
        ours.outgoing.drop_next("D")
        ours.send(scene.order("a-1"))
        ours.send(scene.order("a-2"))

        missed = peer.inbox.take("D")
        assert missed[11] == "a-1"
        assert missed[43] == "Y"
        assert missed[34] == "2"
        assert peer.inbox.take("D")[11] == "a-2"
        served = ours.expect(ResendServed)
        assert served.begin == 2
        for cl_ord_id in ("a-1", "a-2"):
            assert ours.expect(MessageReceived).message == scene.report(cl_ord_id)
        ours.log_out()


def test_an_order_too_old_to_resend_is_gap_filled(peer: QuickfixPeer | FixcorePeer, signer: Signer) -> None:
    with logged_on(peer, signer, MemoryStore(), resend_policy=ResendFresh()) as ours:
        ours.outgoing.drop_next("D")
        ours.send(scene.order("a-1"))
        ours.call(lambda session, now: session.test_request(now))
        assert ours.expect(OutcomesUnknown).request_ids == ("a-1",)
        assert ours.expect(ResendServed).resent == 0

        ours.send(scene.order("a-2"))
        assert peer.inbox.take("D")[11] == "a-2"
        assert ours.expect(MessageReceived).message == scene.report("a-2")
        assert peer.inbox.is_empty()
        ours.log_out()
