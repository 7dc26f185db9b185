"""Both directions restart at MsgSeqNum 1 while the connection lasts, by a Logon with ResetSeqNumFlag=Y.

FIXT 1.1 session layer, "Logon". A reset has two halves, and either process may die between them. The side
that asks notes in its store that the reset is unanswered, and asks again at the next logon until it is. The
side that answers has nothing to note: its own restart is complete.
"""

from __future__ import annotations

from typing import Any

from kalshi_fix_sansio.base import Block
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import CloseReason
from kalshi_fix_sansio.outcomes import Uncertainty
from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.own_logon import OwnLogon, next_expected_of, next_expected_text
from kalshi_fix_sansio.session.recovery import Recovery
from kalshi_fix_sansio.session.resend import Resender
from kalshi_fix_sansio.session.states import Input
from kalshi_fix_sansio.session.store import MessageStore

RESET_FROM_ELSEWHERE = "MsgSeqNum must be 1 with ResetSeqNumFlag=Y"


class Resets:
    """Resets of the numbers of one session, begun by either side."""

    __slots__ = ("_core", "_own", "_recovery", "_resender")

    def __init__(self, core: Core, recovery: Recovery, resender: Resender, own: OwnLogon) -> None:
        self._core = core
        self._recovery = recovery
        self._resender = resender
        self._own = own

    def begin(self, now: Instant) -> None:
        """Ask for a reset. What the peer sent before its answer still has the old numbers."""
        # First what may raise: the state, then the signer.
        self._core.require(Input.RESET)
        self._ask(self._encode_request(self._own, now), now)

    def accept(self, logon: Any, store: MessageStore, fields: Block | None, now: Instant) -> None:
        """Answer the peer's Logon by one that resets, because a reset of ours was never answered.

        Our reset may or may not have reached the peer, so the number of its Logon is taken as it is. The
        session is established once the peer has answered by a Logon that resets, too.
        """
        core, own = self._core, self._own.agreed(logon.heart_bt_int, fields)
        frame = self._encode_request(own, now)
        self._own.adopt(own)
        core.ledger.use_store(store)
        # What the peer sends before it reads our answer goes on from the number of its Logon.
        core.ledger.expected = logon.header.msg_seq_num + 1
        core.timers.start(own.heart_bt_int, now.monotonic)
        core.move(Input.ACCEPT)
        self._ask(frame, now)

    def _encode_request(self, own: OwnLogon, now: Instant) -> bytes:
        offers = self._core.config.offer_next_expected_at_reset
        return own.encode(1, now, reset=True, processed=0, next_expected=1 if offers else None)

    def _ask(self, frame: bytes, now: Instant) -> None:
        self._core.move(Input.RESET)
        self._restart(frame, now, unanswered=True)
        self._core.timers.logon_at = now.monotonic + self._core.config.logon_timeout

    def take_answer(self, logon: Any, now: Instant) -> None:
        """Complete a reset that this side asked for."""
        if not self._is_sound(logon, self._core.store.next_outgoing, now):
            return
        # Before `reset_answered` sets the number expected to 1: what is missing is told by its old numbers.
        self._recovery.lose()
        self._core.give_up_on_all(Uncertainty.RESET)
        self._core.ledger.reset_answered()
        self._complete(logon, now, requested=True)

    def take(self, logon: Any, now: Instant) -> None:
        """Follow a Logon with ResetSeqNumFlag=Y that this side did not ask for: both directions restart at
        1, once, and a Logon of the same kind answers it."""
        if not self._is_sound(logon, 1, now):
            return
        offered = next_expected_of(logon, self._core.config)
        awaited = None if offered is None else 2
        # Encoded before anything is given up: `sign_logon` may raise. The peer's Logon has been read by then,
        # so the caller can only `abort`.
        frame = self._own.encode(1, now, reset=True, processed=1, next_expected=awaited)
        self._recovery.lose()
        self._core.give_up_on_all(Uncertainty.RESET)
        self._restart(frame, now, unanswered=False)
        self._complete(logon, now, requested=False)

    def _is_sound(self, logon: Any, most: int, now: Instant) -> bool:
        """Say whether a Logon that resets has number 1, and expects `most` next at most."""
        offered = next_expected_of(logon, self._core.config)
        if logon.header.msg_seq_num != 1:
            text = RESET_FROM_ELSEWHERE
        elif offered is not None and offered > most:
            text = next_expected_text(offered, most)
        else:
            return True
        self._core.break_off(CloseReason.PROTOCOL_ERROR, text, now)
        return False

    def _restart(self, frame: bytes, now: Instant, *, unanswered: bool) -> None:
        """Send a Logon that resets, as number 1 of what leaves from here on."""
        self._core.outbound.restart(unanswered=unanswered)
        self._resender.forget()
        self._core.outbound.commit(1, frame, now)

    def _complete(self, logon: Any, now: Instant, *, requested: bool) -> None:
        self._recovery.forget()
        self._core.move(Input.PEER_LOGON)
        self._core.logged_on(logon, self._own.heart_bt_int, now, reset=True, requested=requested)
        self._recovery.begin(1, now)
