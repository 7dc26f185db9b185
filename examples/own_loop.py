"""The sans-IO core in your own event loop, with one session, one socket and `selectors`. The program places
one order, and logs out.

    python own_loop.py SYMBOL

The program uses no client, no thread and no queue. It shows everything that an event loop must do for a
session.
"""

import selectors
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime
from sys import argv
from uuid import uuid4

from kalshi_fix_adapters.config.plan import ClientConfig, make_plan
from kalshi_fix_adapters.net.dial import open_socket
from kalshi_fix_sansio import ExecType, ExecutionReport, Instant, NewOrderSingle, Session, Side
from kalshi_fix_sansio.events import Event, LoggedOn, MessageReceived, SessionEnded

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def now() -> Instant:
    """Read both clocks."""
    return Instant(time.monotonic(), datetime.now(UTC))


def handle(session: Session, event: Event) -> None:
    """Handle an event: the program's own logic."""
    if isinstance(event, LoggedOn):
        order = NewOrderSingle(
            cl_ord_id=str(uuid4()),
            symbol=argv[1],
            side=Side.BUY,
            price="0.01",
            order_qty=1,
        )
        session.send(order, now())
    elif isinstance(event, MessageReceived):
        print(event.message)
        if isinstance(event.message, ExecutionReport) and event.message.exec_type == ExecType.NEW:
            session.logout(now())
    elif isinstance(event, SessionEnded):
        print(event.reason.value)


plan = make_plan("KalshiNR", ClientConfig())  # key, address and trusted certificates, from the environment
sock = open_socket(plan.endpoint.host, plan.endpoint.port, plan.security, plan.timeout)
sock.setblocking(False)
session, output = Session(plan.config), bytearray()
session.connect(now())
selector = selectors.DefaultSelector()
selector.register(sock, selectors.EVENT_READ)
while True:
    while events := session.events():
        for event in events:
            handle(session, event)
    output += session.data_to_send()
    with suppress(*WOULD_BLOCK):
        while output:
            del output[: sock.send(output)]
    if session.wants_close and not output:
        break
    due = session.next_deadline()
    selector.modify(sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if output else 0))
    selector.select(None if due is None else max(0.0, due - time.monotonic()))
    with suppress(*WOULD_BLOCK):
        # Read until recv would block, because TLS may buffer bytes that the selector does not see.
        while not session.wants_close:
            if data := sock.recv(65536):
                session.receive_data(data, now())
            else:
                session.receive_eof(now())
    session.handle_timer(now())
sock.close()
