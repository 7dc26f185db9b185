from __future__ import annotations

import queue
import socket
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import attrs
import pytest

from kalshi_fix_adapters._io_thread import IoThread, deadline_after
from kalshi_fix_adapters._pump import Pump
from kalshi_fix_adapters.blocking import (
    Client,
    drop_copy,
    market_data,
    order_entry,
    post_trade,
    rfq,
)
from kalshi_fix_adapters.cli.sandbox import MARKETS, Sandbox
from kalshi_fix_adapters.errors import (
    CertificateRejectedError,
    ClientTimeoutError,
    ConnectionFailedError,
    LogonFailedError,
    LogonRefusedError,
    SessionClosedError,
)
from kalshi_fix_adapters.plan import ClientConfig, ConnectionPlan, Options, make_plan
from kalshi_fix_adapters.tls import Plaintext, Tls
from kalshi_fix_adapters.venue.identities import Authority, ClientKey
from kalshi_fix_sansio import (
    BusinessMessageReject,
    EventResendRequest,
    ExecType,
    ExecutionReport,
    MarketDataRequest,
    NewOrderSingle,
    OrderCancelReject,
    OrdType,
    Side,
)
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.events import CloseReason, MessageReceived, RejectReceived, SessionEnded
from kalshi_fix_sansio.session import MemoryStore, Session
from tests.adapters.conftest import ME
from tests.adapters.peers import (
    Acceptor,
    hang_up,
    keep_silent,
    listening,
    logged_on_peer,
    talk_nonsense,
    unused_port,
)

SYMBOL = MARKETS["prediction"][0].rules.ticker
LONG = 30.0
"""Seconds after which a test gives up waiting for what must come."""


def options(sandbox: Sandbox, session: str = "KalshiNR", key: int = 0, **changes: Any) -> Options:
    chosen: Options = {**sandbox.options(ME, "prediction", session, key), **changes}  # type: ignore[typeddict-item]
    return chosen


def order(price: str = "0.01", quantity: int = 1) -> NewOrderSingle:
    return NewOrderSingle(
        cl_ord_id=str(uuid4()),
        symbol=SYMBOL,
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        price=price,
        order_qty=quantity,
    )


def acknowledged(client: Client) -> None:
    """Wait for the report that an order is new."""
    for message in client.messages(LONG):
        if isinstance(message, ExecutionReport) and message.exec_type == ExecType.NEW:
            return
    pytest.fail("no report came")


# --- the way things go


def test_an_order_from_logon_to_logout(sandbox: Sandbox) -> None:
    placed = order()
    with order_entry(**options(sandbox)) as client:
        assert client.logged_on is not None
        assert client.logged_on.heart_bt_int == 30
        assert client.send(placed) == 2
        first = client.receive(LONG)
        assert isinstance(first, MessageReceived)
        assert isinstance(first.message, ExecutionReport)
        assert (first.message.exec_type, first.message.cl_ord_id) == (ExecType.PENDING_NEW, placed.cl_ord_id)
        second = next(client.messages(LONG))
        assert isinstance(second, ExecutionReport)
        assert second.exec_type == ExecType.NEW
    assert client.ended is not None
    assert (client.ended.reason, client.ended.clean) == (CloseReason.LOGGED_OUT, True)


def test_what_the_venue_rejects_is_among_the_messages_and_tied_to_what_was_sent(sandbox: Sandbox) -> None:
    request = EventResendRequest(begin_exec_id="1;1")
    with drop_copy(**options(sandbox, "KalshiDC")) as client:
        client.send(request)
        assert isinstance(next(client.messages(LONG)), BusinessMessageReject)
        client.send(request)
        event = client.receive(LONG)
        assert isinstance(event, RejectReceived)
        assert event.sent == request


def test_every_session_type_has_its_client(sandbox: Sandbox) -> None:
    for session, client in {
        "KalshiNR": order_entry(**options(sandbox)),
        "KalshiRT": order_entry(retransmission=True, **options(sandbox, "KalshiRT")),
        "KalshiDC": drop_copy(**options(sandbox, "KalshiDC")),
        "KalshiMD": market_data(**options(sandbox, "KalshiMD")),
        "KalshiPT": post_trade(**options(sandbox, "KalshiPT")),
        "KalshiRFQ": rfq(**options(sandbox, "KalshiRFQ")),
    }.items():
        with client:
            assert client.logged_on is not None
            assert client.logged_on.logon.header.sender_comp_id == session


def test_a_listener_cannot_send_orders(sandbox: Sandbox) -> None:
    with order_entry(listener=True, **options(sandbox)) as client:
        client.send(order())
        assert isinstance(next(client.messages(LONG)), BusinessMessageReject)


def test_a_session_with_resend_goes_on_from_its_store(sandbox: Sandbox) -> None:
    store = MemoryStore()
    plan = make_plan("KalshiRT", ClientConfig(**options(sandbox, "KalshiRT", key=1)))
    with Client(plan):  # restarts the numbers at the venue
        pass
    with Client(
        attrs.evolve(plan, config=attrs.evolve(plan.config, reset_seq_num=True)), store=store
    ) as client:
        assert client.logged_on is not None
        assert client.logged_on.reset
        assert client.send(order()) == 2
        acknowledged(client)
    with Client(plan, store=store) as client:
        assert client.logged_on is not None
        assert not client.logged_on.reset
        assert client.send(order()) == 5


def test_a_client_may_be_opened_again(sandbox: Sandbox) -> None:
    client = order_entry(**options(sandbox))
    for _ in range(2):
        with client:
            assert client.send(order()) == 2
            with pytest.raises(LocalProtocolError, match="open already"):
                client.open()


def test_events_end_with_the_end_of_the_session(sandbox: Sandbox) -> None:
    with order_entry(**options(sandbox)) as client:
        client.send(order())
        assert isinstance(next(client.events(LONG)), MessageReceived)
        client.logout("good night")
        events = list(client.events(LONG))
        assert isinstance(events[-1], SessionEnded)
        with pytest.raises(SessionClosedError, match="the session is over"):
            client.receive(LONG)
        with pytest.raises(SessionClosedError, match="open the client again"):
            client.send(order())
    assert client.logout() == client.ended


def test_messages_end_after_a_logout(sandbox: Sandbox) -> None:
    with order_entry(**options(sandbox)) as client:
        client.send(order())
        assert isinstance(next(client.messages(LONG)), ExecutionReport)
        client.logout()
        assert {type(message) for message in client.messages(LONG)} <= {ExecutionReport}


def test_iterating_stops_when_nothing_comes(sandbox: Sandbox) -> None:
    with order_entry(**options(sandbox)) as client:
        assert list(client.messages(0)) == []
        assert list(client.events(0.01)) == []
        with pytest.raises(ClientTimeoutError, match="nothing came within 0"):
            client.receive(0)


def test_several_threads_may_send(sandbox: Sandbox) -> None:
    numbers: list[int] = []
    with order_entry(**options(sandbox)) as client:

        def send_some() -> None:
            numbers.extend(client.send(order()) for _ in range(10))

        threads = [threading.Thread(target=send_some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reports = [next(client.messages(LONG)) for _ in range(80)]
    assert sorted(numbers) == list(range(2, 42))
    assert {type(report) for report in reports} == {ExecutionReport}


def test_a_wire_listener_sees_all_bytes(sandbox: Sandbox) -> None:
    seen: list[tuple[str, bytes]] = []
    plan = make_plan("KalshiNR", ClientConfig(**options(sandbox)))
    with Client(plan, on_wire=lambda direction, data: seen.append((direction, data))):
        pass
    sent = b"".join(data for direction, data in seen if direction == "sent")
    received = b"".join(data for direction, data in seen if direction == "received")
    for stream in (sent, received):
        assert stream.startswith(b"8=FIXT.1.1\x01")
        assert stream.count(b"\x0135=A\x01") == stream.count(b"\x0135=5\x01") == 1


# --- slow users


def wait_until_paused(client: Client, paused: bool = True) -> None:
    io = client._io
    assert io is not None
    with io._changed:
        assert io._changed.wait_for(lambda: io._paused is paused, LONG)


def test_a_full_queue_stops_reading_and_loses_nothing(sandbox: Sandbox) -> None:
    plan = make_plan("KalshiNR", ClientConfig(**options(sandbox)))
    with Client(plan, queue_limit=5) as client:
        for _ in range(50):
            client.send(order())
        wait_until_paused(client)
        reports = [next(client.messages(LONG)) for _ in range(100)]
        wait_until_paused(client, False)
    assert len({report.header.msg_seq_num for report in reports}) == 100


def test_a_full_queue_does_not_hinder_the_logout(sandbox: Sandbox) -> None:
    plan = make_plan("KalshiNR", ClientConfig(**options(sandbox)))
    with Client(plan, queue_limit=1) as client:
        for _ in range(20):
            client.send(order())
        wait_until_paused(client)
    assert client.ended is not None
    assert client.ended.clean
    assert len(list(client.messages(LONG))) > 1


def test_a_message_that_may_not_be_sent_changes_nothing(sandbox: Sandbox) -> None:
    with order_entry(**options(sandbox)) as client:
        with pytest.raises(InvalidMessageError):
            client.send(MarketDataRequest(subscription_request_type="2"))
        assert client.send(order()) == 2


# --- users who fail


class OwnError(Exception):
    pass


def _fail_inside(client: Client, error: type[BaseException]) -> None:
    with client:
        client.send(order())
        raise error


@pytest.mark.parametrize("error", [OwnError, KeyboardInterrupt])
def test_an_exception_of_the_user_logs_out_and_goes_on(sandbox: Sandbox, error: type[BaseException]) -> None:
    client = order_entry(**options(sandbox))
    with pytest.raises(error):
        _fail_inside(client, error)
    assert client.ended is not None
    assert client.ended.clean


def test_an_interrupt_in_the_middle_of_a_send_drops_the_connection(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = order_entry(**options(sandbox))
    with client:
        assert client._io is not None
        monkeypatch.setattr(client._io._pump, "send", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.send(order())
        with pytest.raises(SessionClosedError, match="interrupted halfway"):
            client.receive(LONG)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_while_waiting_for_the_logout_ends_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with order_entry(**options(sandbox)) as client:
        io = client._io
        assert io is not None
        with monkeypatch.context() as patch:
            patch.setattr(io, "join", _interrupt)
            with pytest.raises(KeyboardInterrupt):
                client.logout()
        assert io.join(LONG)


def test_a_failure_of_the_thread_reaches_the_user(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with order_entry(**options(sandbox)) as client:
        assert client._io is not None
        monkeypatch.setattr(client._io._pump, "receive", _fail)
        client.send(order())
        with pytest.raises(SessionClosedError, match=r"failed by itself \(OwnError\)") as caught:
            client.receive(LONG)
        assert isinstance(caught.value.__cause__, OwnError)


def _fail(*_: object) -> None:
    raise OwnError


def test_a_client_that_is_not_open_says_so(sandbox: Sandbox) -> None:
    client = order_entry(**options(sandbox))
    assert client.logout() is None
    assert client.ended is None
    for use in (lambda: client.send(order()), client.receive, lambda: list(client.events())):
        with pytest.raises(SessionClosedError, match="not open"):
            use()


def test_nothing_secret_in_the_repr(sandbox: Sandbox) -> None:
    client = order_entry(**options(sandbox))
    assert (
        repr(client)
        == f"<Client KalshiNR prediction at 127.0.0.1:{sandbox.server.port('prediction', 'KalshiNR')}, new>"
    )
    with client:
        assert repr(client).endswith("open>")
    assert repr(client).endswith("over>")


# --- venues that refuse


def test_a_key_that_does_not_match(sandbox: Sandbox) -> None:
    stranger = ClientKey.generate(ed25519_key=True)
    with pytest.raises(LogonRefusedError, match="private key belongs to this API key id") as caught:
        order_entry(**options(sandbox, private_key=stranger.private_key_pem)).open()
    assert not caught.value.retryable


def test_an_unknown_key(sandbox: Sandbox) -> None:
    with pytest.raises(LogonRefusedError, match="check the API key id"):
        order_entry(**options(sandbox, key_id=str(uuid4()))).open()


def test_a_second_connection_with_the_same_key(sandbox: Sandbox) -> None:
    with (
        order_entry(**options(sandbox)),
        pytest.raises(LogonRefusedError, match="another connection uses this API key") as caught,
    ):
        order_entry(**options(sandbox)).open()
    assert caught.value.retryable


def test_the_port_of_another_session_type(sandbox: Sandbox) -> None:
    port = sandbox.server.port("prediction", "KalshiMD")
    with pytest.raises(LogonRefusedError, match="TargetCompID"):
        order_entry(**options(sandbox, port=port)).open()


def test_a_key_of_the_other_product(sandbox: Sandbox) -> None:
    port = sandbox.server.port("margin", "KalshiNR")
    with pytest.raises(LogonRefusedError, match="margin"):
        order_entry(**options(sandbox, port=port)).open()


def test_a_logon_field_that_is_not_allowed(sandbox: Sandbox) -> None:
    with pytest.raises(InvalidMessageError, match="MessageRetentionPeriod"):
        order_entry(**options(sandbox, logon_fields={"message_retention_period": 48})).open()


# --- connections that fail


def test_a_venue_of_another_authority(sandbox: Sandbox) -> None:
    stranger = Tls(ca_data=Authority().certificate_pem.decode())
    with pytest.raises(CertificateRejectedError):
        order_entry(**options(sandbox, tls=stranger)).open()


def test_a_venue_that_is_not_there(sandbox: Sandbox) -> None:
    with pytest.raises(ConnectionFailedError, match="kalshi-fix venue"):
        order_entry(**options(sandbox, port=unused_port())).open()


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        (keep_silent, r"did not answer the Logon in time"),
        (hang_up, r"closed the connection before it answered"),
        (talk_nonsense, r"did not answer the Logon in time"),
    ],
)
def test_a_peer_that_does_not_log_on(sandbox: Sandbox, handler: Any, text: str) -> None:
    with listening(handler) as port, pytest.raises(LogonFailedError, match=text):
        order_entry(**options(sandbox, port=port, tls=Plaintext(), timeout=0.3)).open()


def test_an_interrupted_logon_leaves_nothing_behind(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kalshi_fix_adapters._io_thread.IoThread.wait_logged_on", _interrupt)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        order_entry(**options(sandbox)).open()
    assert threading.active_count() == before


def test_a_venue_that_vanishes() -> None:
    with ExitStack() as venue:
        client = order_entry(**options(venue.enter_context(Sandbox((ME,)))))
        with client:
            venue.close()
            with pytest.raises(
                SessionClosedError, match=r"the session ended: .*open the client again"
            ) as caught:
                list(client.messages(LONG))
            assert caught.value.ended is not None
            assert caught.value.ended.reason is CloseReason.CONNECTION_LOST
            with pytest.raises(SessionClosedError):
                client.send(order())


def test_a_venue_that_logs_out(sandbox: Sandbox) -> None:
    def log_out(peer: Acceptor) -> None:
        peer.log_out("maintenance")
        list(peer.received())

    with logged_on_peer(log_out) as port, Client(by_hand(sandbox, port)) as client:
        with pytest.raises(SessionClosedError, match="maintenance"):
            list(client.messages(LONG))
        assert client.ended is not None
        assert client.ended.clean


# --- a venue by hand


def test_heartbeats_leave_while_the_user_neither_sends_nor_reads(sandbox: Sandbox) -> None:
    heard: queue.Queue[str] = queue.Queue()

    def report_and_listen(peer: Acceptor) -> None:
        for _ in range(5):
            peer.send(OrderCancelReject(order_id="1", cl_ord_id="1", ord_status="8", cxl_rej_response_to="1"))
        for message in peer.received():
            heard.put(message)

    with (
        logged_on_peer(report_and_listen) as port,
        Client(by_hand(sandbox, port, heart_bt_int=3), queue_limit=1) as client,
    ):
        assert heard.get(timeout=LONG) == "Heartbeat"
    assert len(list(client.messages(LONG))) == 5


def test_a_venue_that_stops_reading_holds_senders_up(sandbox: Sandbox) -> None:
    done = threading.Event()
    big = NewOrderSingle(
        cl_ord_id="1", symbol="X" * 20_000, side=Side.BUY, ord_type=OrdType.LIMIT, price=1, order_qty=1
    )
    with (
        logged_on_peer(lambda _: done.wait(LONG)) as port,
        Client(by_hand(sandbox, port, timeout=0.5)) as client,
    ):
        with pytest.raises(ClientTimeoutError, match="nothing was sent"):
            deque(client.send(big, timeout=0.2) for _ in range(10_000))
        client.logout()
        assert client.ended is not None
        assert not client.ended.clean
        done.set()


def test_messages_that_are_missing_end_the_session(sandbox: Sandbox) -> None:
    def skip_a_number(peer: Acceptor) -> None:
        peer.session.store.record_sent(peer.session.next_outgoing, None)
        peer.send(OrderCancelReject(order_id="1", cl_ord_id="1", ord_status="8", cxl_rej_response_to="1"))
        list(peer.received())

    with (
        logged_on_peer(skip_a_number) as port,
        Client(by_hand(sandbox, port)) as client,
        pytest.raises(SessionClosedError, match="the session ended"),
    ):
        list(client.messages(LONG))
    assert client.ended is not None
    assert client.ended.reason is CloseReason.SEQUENCE_GAP


def test_what_the_venue_said_before_it_hung_up_is_read(sandbox: Sandbox) -> None:
    def say_and_go(peer: Acceptor) -> None:
        peer.send(OrderCancelReject(order_id="1", cl_ord_id="1", ord_status="8", cxl_rej_response_to="1"))
        peer.connection.close()

    with logged_on_peer(say_and_go) as port, Client(by_hand(sandbox, port)) as client:
        events = list(client.events(LONG))
    assert [type(event) for event in events] == [MessageReceived, SessionEnded]


class Choked(socket.socket):
    """A socket that can still be read, but takes nothing any more once `broken`."""

    broken = False

    def send(self, data: Any, flags: int = 0) -> int:
        if self.broken:
            raise BrokenPipeError
        return super().send(data, flags)


def test_what_the_venue_said_is_read_when_nothing_can_be_written_any_more(sandbox: Sandbox) -> None:
    ours, theirs = socket.socketpair()
    with Choked(fileno=ours.detach()) as choked, theirs, ThreadPoolExecutor() as pool:
        acceptor = pool.submit(Acceptor, theirs)
        io = IoThread(choked, Pump(Session(by_hand(sandbox, 1).config)), 100)
        io.start()
        assert io.wait_logged_on()
        choked.broken = True
        assert io.send(order(), None, deadline_after(LONG)) == 2
        acceptor.result(LONG).log_out("maintenance")
        theirs.close()
        ended = io.take(deadline_after(LONG))
        while not isinstance(ended, SessionEnded):
            ended = io.take(deadline_after(LONG))
        assert "maintenance" in ended.text
        assert io.join(LONG)


def test_a_failure_during_the_logon_reaches_the_user(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pump, "receive", _fail)
    with pytest.raises(SessionClosedError, match="failed by itself"):
        order_entry(**options(sandbox)).open()


def by_hand(sandbox: Sandbox, port: int, **changes: Any) -> ConnectionPlan:
    return make_plan("KalshiNR", ClientConfig(**options(sandbox, port=port, tls=Plaintext(), **changes)))
