"""Our side and QuickFIX as client and venue, or as venue and client, over any number of connections."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from interop import scene
from interop.ours import OurSide, now
from interop.peer import PATIENCE, Fields, Inbox
from interop.quickfix_peer import QuickfixPeer
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import Event, LoggedOn, LogonRequested, MessageReceived
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.session.store import StoredMessage
from kalshi_fix_sansio.signing import Signer, logon_payload, verify_logon

KEEP_NUMBERS = {"ResetOnLogon": "N"}
"""QuickFIX settings with which the sequence numbers in both directions continue across connections."""


class Pairing:
    """QuickFIX in the role opposite to `role`, and everything that our side needs to connect to it.

    In either role, a client sends orders and a venue sends reports.
    """

    def __init__(
        self,
        role: Role,
        folder: Path,
        dictionaries: Mapping[str, Path],
        signer: Signer,
        *,
        inbox: Inbox | None = None,
        queued: Iterable[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start QuickFIX. `queued` contains the ClOrdIDs of messages that it sends before it is connected."""
        self.role = role
        self._signer = signer
        self._stack = contextlib.ExitStack()
        self._listener: socket.socket | None = None
        if role is Role.ACCEPTOR:
            self._listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            self._listener.settimeout(PATIENCE)
        self.peer = QuickfixPeer(
            folder,
            dictionaries[scene.PRODUCT],
            sender=scene.VENUE if role is Role.INITIATOR else scene.CLIENT,
            target=scene.CLIENT if role is Role.INITIATOR else scene.VENUE,
            sign=None if role is Role.INITIATOR else lambda *logon: signer(logon_payload(*logon)),
            connect_to=None if self._listener is None else self._listener.getsockname()[1],
            inbox=inbox,
            queued=(self.their_message(cl_ord_id) for cl_ord_id in queued),
            settings={**KEEP_NUMBERS, **(settings or {})},
        )
        self._stack.callback(self.peer.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, and stop QuickFIX."""
        self._stack.close()

    def connect(
        self, store: MemoryStore, take: Callable[[Event], bool] | None = None, **settings: Any
    ) -> tuple[OurSide, LoggedOn]:
        """Open a connection and log on. `take` is passed to `OurSide`; `settings` are further arguments of
        our SessionConfig.
        """
        for event in (self.peer.inbox.logged_on, self.peer.inbox.logged_out):
            event.clear()
        if self._listener is None:
            self.peer.wait_until_released()
            sock = socket.create_connection(("127.0.0.1", self.peer.port))
            config = scene.config(self.role, sign_logon=self._signer.sign_logon, **settings)
        else:
            sock, _address = self._listener.accept()
            config = scene.config(self.role, **settings)
        ours = OurSide(sock, config, store, take)
        self._stack.callback(ours.close)
        if self._listener is not None:
            assert verify_logon(self._signer.verifier, ours.expect(LogonRequested))
            ours.call(lambda session, instant: session.accept_logon(instant))
        logged_on = ours.expect(LoggedOn)
        self.peer.inbox.wait_until_logged_on()
        return ours, logged_on

    def our_message(self, cl_ord_id: str) -> Message:
        """Return a message from our side with this ClOrdID (11)."""
        return scene.order(cl_ord_id) if self.role is Role.INITIATOR else scene.report(cl_ord_id)

    def their_message(self, cl_ord_id: str) -> tuple[str, Fields]:
        """Return a message from QuickFIX with this ClOrdID (11)."""
        order = scene.order_fields(cl_ord_id)
        if self.role is Role.ACCEPTOR:
            return "D", order
        report = scene.answer_order("D", order)
        assert report is not None
        return report

    @property
    def our_type(self) -> str:
        """MsgType of the messages that our side sends."""
        return "D" if self.role is Role.INITIATOR else "8"

    @property
    def their_type(self) -> str:
        """MsgType of the messages that QuickFIX sends."""
        return "8" if self.role is Role.INITIATOR else "D"

    def exchange(self, ours: OurSide, *cl_ord_ids: str) -> None:
        """Send a message with each of these ClOrdIDs from both sides; check that all are received."""
        for cl_ord_id in cl_ord_ids:
            ours.send(self.our_message(cl_ord_id))
            assert self.peer.inbox.take(self.our_type)[11] == cl_ord_id
            self.peer.send(*self.their_message(cl_ord_id))
            event = ours.expect(MessageReceived)
            assert event.message.cl_ord_id == cl_ord_id  # type: ignore[attr-defined]
            assert not event.poss_dup

    def store(self, cl_ord_ids: Iterable[str]) -> MemoryStore:
        """Return a store for our side that contains messages with these ClOrdIDs, sent but not delivered."""
        config, store, sent_at = scene.config(self.role), MemoryStore(), now().utc
        for cl_ord_id in cl_ord_ids:
            message, seq_num = self.our_message(cl_ord_id), store.next_outgoing
            header = config.dialect.header.cls(
                msg_type=message.MSG_TYPE,
                msg_seq_num=seq_num,
                sender_comp_id=config.sender_comp_id,
                target_comp_id=config.target_comp_id,
                sending_time=sent_at,
            )
            frame = config.codec.encode(message, header)
            store.record_sent(seq_num, StoredMessage(seq_num, sent_at, frame))
        return store
