"""`docs/how-to/another-venue.md`, run with QuickFIX's FIX44.xml; QuickFIX is also the FIX 4.4 peer."""

from __future__ import annotations

import contextlib
import importlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interop.ours import OurSide, now
from interop.peer import Fields
from interop.quickfix_peer import QuickfixPeer
from kalshi_fix_sansio import Role, SessionConfig
from kalshi_fix_sansio.events import LoggedOn, MessageReceived
from kalshi_fix_sansio.session import MemoryStore
from tests.codegen.test_another_venue import run_page

STANDARD = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all commands of the page were run."""
    folder = tmp_path_factory.mktemp("acme")
    run_page(folder, STANDARD)
    return folder


@pytest.fixture
def package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(folder))
    return importlib.import_module("acme_fix")


def report(msg_type: str, order: Fields) -> tuple[str, Fields]:
    """Answer an order with a fill."""
    assert msg_type == "D"
    filled = {37: "1", 17: "1", 150: "F", 39: "2", 151: "0", 14: order[38], 6: order[44], 32: order[38]}
    return "8", {**{tag: order[tag] for tag in (11, 55, 54)}, **filled, 31: order[44]}


@pytest.fixture(params=["as distributed", "as exported"])
def peer(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[QuickfixPeer]:
    """A QuickFIX venue on FIX 4.4, with its own dictionary or with the one written from the spec."""
    dictionary = STANDARD if request.param == "as distributed" else folder / "quickfix" / "FIX44.xml"
    peer = QuickfixPeer(
        tmp_path,
        STANDARD.parent,
        sender="ACME",
        target="ME",
        responder=report,
        settings={"BeginString": "FIX.4.4", "DataDictionary": str(dictionary)},
    )
    with contextlib.closing(peer):
        yield peer


def test_quickfix_fills_an_order_on_fix_4_4(package: Any, peer: QuickfixPeer) -> None:
    config = SessionConfig(
        role=Role.INITIATOR,
        dialect=package.DIALECT,
        session_type=package.DIALECT.session_types["FIX"],
        sender_comp_id="ME",
        target_comp_id="ACME",
    )
    order = package.NewOrderSingle(
        cl_ord_id="first",
        symbol="IBM",
        side=package.Side.BUY,
        transact_time=now().utc,
        ord_type=package.OrdType.LIMIT,
        order_qty=100,
        price="125.50",
        party_ids=[package.PartyIDsEntry(party_id="desk", party_id_source="D", party_role=11)],
    )
    sock = socket.create_connection(("127.0.0.1", peer.port))
    with contextlib.closing(OurSide(sock, config, MemoryStore())) as ours:
        ours.expect(LoggedOn)
        ours.send(order)
        assert peer.inbox.take("D")[448] == "desk"
        received = ours.expect(MessageReceived).message
        assert isinstance(received, package.ExecutionReport)
        assert received.problems == ()
        assert (received.cl_ord_id, received.ord_status) == ("first", package.OrdStatus.FILLED)
        assert str(received.last_px) == "125.50"
        ours.log_out()
        peer.inbox.wait_until_logged_out()
