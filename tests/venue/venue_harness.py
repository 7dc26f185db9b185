"""A venue and its clients in memory, with one virtual clock; bytes move when `run` is called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

import attrs

from kalshi_fix_sansio import (
    DIALECT,
    ExecutionReport,
    Header,
    Logon,
    LogonFields,
    MassCancelRequestType,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelRequest,
    OrdType,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import Event, LoggedOn, MessageReceived, SessionEnded
from kalshi_fix_sansio.framing import Frame, Framer, encode_frame
from kalshi_fix_sansio.session import MemoryStore, Session
from kalshi_fix_sansio.signing import load_private_key, logon_payload
from kalshi_fix_venue.config import AccountConfig, ApiKey, VenueConfig
from kalshi_fix_venue.exchange import Command, margin_market, prediction_market
from kalshi_fix_venue.identities import ClientKey
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.operations.base import Answer, Operation
from kalshi_fix_venue.venue import VenueModel
from tests.venue.exchange_harness import MARKET, PERP

CODEC = Codec(DIALECT)
START = datetime(2026, 8, 20, 15, 0, tzinfo=UTC)
M = TypeVar("M", bound=Message)


def new_key(name: str) -> ClientKey:
    return ClientKey.generate(ed25519_key=True, key_id=f"key-{name}")


KEY_NAMES = ("ann", "ann-2", "ann-md", "ann-reader", "bob", "bob-md", "perp", "perp-md")
KEYS = {name: new_key(name) for name in (*KEY_NAMES, "stranger")}
ALL_SCOPES = frozenset({"read", "write"})
SCOPES = {"ann-reader": frozenset({"read"})}


def api_key(name: str) -> ApiKey:
    return ApiKey(
        key_id=KEYS[name].key_id,
        public_key=KEYS[name].public_key,
        owner=name.partition("-")[0],
        product="margin" if name.startswith("perp") else "prediction",
        scopes=SCOPES.get(name, ALL_SCOPES),
    )


def accounts(**changes: dict[str, Any]) -> tuple[AccountConfig, ...]:
    """Return all accounts, with 1,000 dollars each unless the owner's `changes` contain another balance."""
    return tuple(
        AccountConfig(
            **{"owner": owner, "product": product, "balance": Decimal(1000), **changes.get(owner, {})}
        )
        for owner, product in (("ann", "prediction"), ("bob", "prediction"), ("perp", "margin"))
    )


def config(**changes: Any) -> VenueConfig:
    values: dict[str, Any] = {
        "markets": {"prediction": (prediction_market(MARKET),), "margin": (margin_market(PERP),)},
        "accounts": accounts(),
        "api_keys": tuple(api_key(name) for name in KEY_NAMES),
    }
    return VenueConfig(**(values | changes))


@attrs.define(eq=False)
class Client:
    """An initiator session on one connection."""

    harness: VenueHarness
    name: str
    conn: int
    session: Session
    events: list[Event] = attrs.field(factory=list)
    wire: bytearray = attrs.field(factory=bytearray)
    """Every byte received."""
    stopped_reading: bool = False
    """Whether the client has stopped reading."""

    def send(self, message: Message) -> None:
        self.session.send(message, self.harness.now)
        self.harness.run()

    def logout(self) -> None:
        self.session.logout(self.harness.now)
        self.harness.run()

    def drop(self) -> None:
        """Lose the connection without a Logout."""
        self.harness.venue.receive_eof(self.conn, self.harness.now)
        self.harness.clients.remove(self)
        self.harness.run()

    def take(self) -> list[Message]:
        """Return the messages received since the last call."""
        found = [event.message for event in self.events if isinstance(event, MessageReceived)]
        self.events.clear()
        return found

    def take_only(self, kind: type[M]) -> M:
        (message,) = self.take()
        assert isinstance(message, kind), message
        return message

    def answer_to(self, message: Message, kind: type[M]) -> M:
        """Send a message, and return the only message received since the last call to `take`."""
        self.send(message)
        return self.take_only(kind)

    def session_end(self) -> SessionEnded:
        (ended,) = (event for event in self.events if isinstance(event, SessionEnded))
        return ended

    @property
    def is_logged_on(self) -> bool:
        return any(isinstance(event, LoggedOn) for event in self.events)


class VenueHarness:
    def __init__(self, seed: int = 7, **changes: Any) -> None:
        self.venue = VenueModel(config(**changes), Random(seed))
        self.monotonic = 50.0
        self.utc = START
        self.clients: list[Client] = []

    @property
    def now(self) -> Instant:
        return Instant(self.monotonic, self.utc)

    def connect(
        self,
        name: str,
        session_type: str = "KalshiNR",
        *,
        product: str = "prediction",
        store: MemoryStore | None = None,
        reset: bool | None = None,
        heart_bt_int: int = 30,
        **logon_fields: Any,
    ) -> Client:
        """Log on, with prices in dollars and without pending reports unless the fields request otherwise."""
        kind = DIALECT.session_types[session_type]
        fields = {"use_dollars": True} | logon_fields
        if session_type in ("KalshiNR", "KalshiRT"):
            fields = {"skip_pending_exec_reports": True} | fields
        key = KEYS[name]
        settings: dict[str, Any] = {} if reset is None else {"reset_seq_num": reset}
        session = Session(
            SessionConfig(
                role=Role.INITIATOR,
                dialect=DIALECT,
                session_type=kind,
                product=product,
                sender_comp_id=key.key_id,
                target_comp_id=session_type,
                heart_bt_int=heart_bt_int,
                logon_fields=LogonFields(**fields),
                sign_logon=load_private_key(key.private_key_pem).sign_logon,
                **settings,
            ),
            store,
        )
        client = Client(self, name, self.venue.connection_made(product, session_type, self.now), session)
        self.clients.append(client)
        session.connect(self.now)
        self.run()
        return client

    def begin(
        self, data: bytes, session_type: str = "KalshiNR", product: str = "prediction"
    ) -> tuple[int, Message]:
        """Open a connection and send these bytes; return the connection and the single answer."""
        conn = self.venue.connection_made(product, session_type, self.now)
        self.venue.receive_data(conn, data, self.now)
        (reply,) = decode_all(self.venue.data_to_send(conn))
        return conn, reply

    def execute(self, command: Command, product: str = "prediction") -> None:
        """Pass a command to the exchange of a product, and deliver the resulting messages."""
        self.venue.execute(product, command, self.now)
        self.run()

    def perform(self, operation: Operation) -> Answer:
        """Perform an operator's operation, and deliver the resulting messages."""
        answer = self.venue.perform(operation, self.now)
        self.run()
        return answer

    def do(self, name: str, **values: Any) -> Answer:
        """Perform an operation by name."""
        return self.perform(operation(name, values))

    def run(self) -> None:
        """Move bytes until no side has bytes to send."""
        moved = True
        while moved:
            moved = False
            for client in tuple(self.clients):
                data = client.session.data_to_send()
                if data:
                    moved = True
                    self.venue.receive_data(client.conn, data, self.now)
                if not client.stopped_reading:
                    reply = self.venue.data_to_send(client.conn)
                    if reply:
                        moved = True
                        client.wire += reply
                        client.session.receive_data(reply, self.now)
                    if self.venue.should_close(client.conn):
                        moved = True
                        client.session.receive_eof(self.now)
                        self.venue.receive_eof(client.conn, self.now)
                        self.clients.remove(client)
                client.events.extend(client.session.events())
                client.session.confirm()

    def wait(self, seconds: float) -> None:
        """Let time pass, stopping at every deadline of the venue and the clients."""
        begin, end = self.now, self.monotonic + seconds
        while True:
            deadlines = [self.venue.next_deadline(), *(c.session.next_deadline() for c in self.clients)]
            due = [deadline for deadline in deadlines if deadline is not None and deadline <= end]
            step = min(due, default=end)
            self._move_to(max(step, self.monotonic), begin)
            self.venue.handle_timer(self.now)
            for client in tuple(self.clients):
                client.session.handle_timer(self.now)
            self.run()
            if not due:
                return

    def _move_to(self, monotonic: float, begin: Instant | None = None) -> None:
        # Computed from `begin`, so the rounding errors of many steps do not add up.
        begin = begin or self.now
        self.utc = begin.utc + timedelta(seconds=monotonic - begin.monotonic)
        self.monotonic = monotonic


def order(cl_ord_id: str, side: Side, quantity: int | Decimal, price: str, **fields: Any) -> NewOrderSingle:
    values: dict[str, Any] = {
        "cl_ord_id": cl_ord_id,
        "order_qty": quantity,
        "ord_type": OrdType.LIMIT,
        "price": price,
        "side": side,
        "symbol": MARKET,
        "time_in_force": TimeInForce.GOOD_TILL_CANCEL,
    }
    return NewOrderSingle(**(values | fields))


def cancel(cl_ord_id: str, orig: str, **fields: Any) -> OrderCancelRequest:
    values: dict[str, Any] = {
        "cl_ord_id": cl_ord_id,
        "orig_cl_ord_id": orig,
        "side": Side.BUY,
        "symbol": MARKET,
    }
    return OrderCancelRequest(**(values | fields))


def amend(cl_ord_id: str, orig: str, quantity: int, **fields: Any) -> OrderCancelReplaceRequest:
    values: dict[str, Any] = {
        "cl_ord_id": cl_ord_id,
        "orig_cl_ord_id": orig,
        "order_qty": quantity,
        "ord_type": OrdType.LIMIT,
        "side": Side.BUY,
        "symbol": MARKET,
    }
    return OrderCancelReplaceRequest(**(values | fields))


def mass_cancel(cl_ord_id: str = "m") -> OrderMassCancelRequest:
    kind = MassCancelRequestType.CANCEL_FOR_SESSION
    return OrderMassCancelRequest(cl_ord_id=cl_ord_id, mass_cancel_request_type=kind)


def reports(client: Client) -> list[ExecutionReport]:
    """Return the reports received since the last call; all other messages are discarded."""
    return [message for message in client.take() if isinstance(message, ExecutionReport)]


def encode(key: str, session_type: str, seq_num: int, now: Instant, message: Message) -> bytes:
    """Return a message in wire format, as a client would write it but without checks."""
    header = Header(
        msg_type=message.MSG_TYPE,
        sender_comp_id=KEYS[key].key_id,
        target_comp_id=session_type,
        msg_seq_num=seq_num,
        sending_time=now.utc,
    )
    return CODEC.encode(message, header)


def raw_logon(
    key: str,
    session_type: str = "KalshiNR",
    now: Instant | None = None,
    *,
    signer: str | None = None,
    signed_for: str | None = None,
    **fields: Any,
) -> bytes:
    """Return a Logon in wire format, as a client would write it but without checks. A field that is None is
    omitted."""
    now = now or Instant(50.0, START)
    sending_time = now.utc.strftime("%Y%m%d-%H:%M:%S.") + f"{now.utc.microsecond // 1000:03}"
    private = load_private_key(KEYS[signer or key].private_key_pem)
    payload = logon_payload(sending_time, 1, KEYS[key].key_id, signed_for or session_type)
    values: dict[str, Any] = {"heart_bt_int": 30, "reset_seq_num_flag": True, "raw_data": private(payload)}
    return encode(key, session_type, 1, now, Logon(**(values | fields)))


def decode_all(data: bytes) -> list[Message]:
    framer = Framer(DIALECT.begin_string)
    framer.feed(data)
    found: list[Message] = []
    while (item := framer.next()) is not None:
        assert isinstance(item, Frame)
        found.append(CODEC.decode(item.data))
    return found


def reframed(message: bytes, old: bytes, new: bytes) -> bytes:
    """Return a message with `old` replaced by `new`, and with a correct BodyLength and CheckSum."""
    body = message.split(b"\x01", 2)[2].rsplit(b"10=", 1)[0].replace(old, new)
    return encode_frame("FIXT.1.1", body)


def msg_types(messages: Sequence[Message]) -> list[str]:
    return [message.MSG_TYPE for message in messages]
