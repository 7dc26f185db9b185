"""The state that the parts of a session share, and their common actions, such as emitting events and ending
the session.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import LogonFacts, MessageContext, Sender
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import LocalProtocolError, StoreError
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    LoggedOn,
    MessageRejected,
    OpenRequest,
    OutcomesUnknown,
    SessionEnded,
    Uncertainty,
)
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.session.checks import PeerRules, peer_rules
from kalshi_fix_sansio.session.ledger import FatalMessage, Ledger
from kalshi_fix_sansio.session.open_requests import NO_ID, NUMBER_NAME, Names, RestingOrders, names_of
from kalshi_fix_sansio.session.outbound import Outbound, plain_text, reply_route
from kalshi_fix_sansio.session.states import LOGGED_ON_STATES, TRANSITIONS, Input, Source, State
from kalshi_fix_sansio.session.store import MessageStore
from kalshi_fix_sansio.session.timers import COMMIT_SHARE, NEVER, SendingTimes, Timers
from kalshi_fix_sansio.validation import logon_facts

HEARTBEAT, TEST_REQUEST, RESEND_REQUEST, REJECT, SEQUENCE_RESET, LOGOUT, LOGON = (
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "A",
)
BUSINESS_REJECT = "j"
NO_END = 0
"""EndSeqNo (16) that requests all messages up to the latest."""
UNSUPPORTED_MESSAGE_TYPE = 3
"""BusinessRejectReason (380) for a message type that the session does not support."""


class Core:
    """The state of one session that its parts share, and the actions that they have in common.

    `reject` sends a Reject (3), and the session continues. The following methods end the session:

    - `end` sends no message. The state becomes CLOSED, and SessionEnded is emitted. The other three methods
      call `end`, at once or later;
    - `fail` sends a Logout with the reason, and does not wait for the peer's Logout. With
      `with_logout=False`, which some ProtocolOptions require, `fail` is the same as `end`;
    - `break_off` is `fail` for an established session. With `ProtocolOptions.linger`, it waits for the peer's
      Logout in the state ENDING, in which no other message is processed;
    - `begin_logout` always waits for the peer's Logout, in the state LOGOUT_SENT. Messages that arrive before
      it are processed.
    """

    def __init__(self, config: SessionConfig, ledger: Ledger) -> None:
        self.config: SessionConfig = config
        self.ledger: Ledger = ledger
        self.codec: Codec = config.codec
        self.framer: Framer = Framer(
            config.dialect.begin_string,
            config.max_message_size,
            skip_by_check_sum=config.protocol_options.skip_by_check_sum,
        )
        self.timers: Timers = Timers(
            config.protocol_options.max_answer_wait,
            commit_limit=min(config.commit_timeout, config.heart_bt_int * COMMIT_SHARE or NEVER),
        )
        self.times: SendingTimes = SendingTimes(config.sending_time_tolerance, self.timers)
        self.resting: RestingOrders = RestingOrders(config)
        self.flags: Mapping[str, Any] = MappingProxyType({})
        """The additional fields of this side's last Logon (`LoggedOn.flags`), without secrets."""
        self.outbound: Outbound = Outbound(config, self.codec, ledger, self.timers)
        self.events: list[Event] = []
        self.event_bytes: int = 0
        """Size of the events that were not fetched: all bytes received since the queue was last empty, plus
        the bytes of messages that were held during a gap and then delivered.
        """
        self.state: State = State.DISCONNECTED
        self.store_error: StoreError | None = None
        """The error with which the store failed."""
        self.peer_comp_id: str | None = None
        """SenderCompID of the peer's Logon; None until it is received."""
        self.peer_names: frozenset[str] = config.accepted_sender_comp_ids
        """The SenderCompIDs that the peer may use. Empty before the peer's Logon if none are configured."""
        self.client_logon: LogonFacts | None = None
        """The settings in the initiator's Logon on which validation rules depend; None until it is sent or
        received.
        """
        self.send_rules: dict[tuple[type[Message], bool], Any] = {}
        """The rules that SendValidator has compiled. They depend on `client_logon`, so `record_logon`
        discards them.
        """
        self.peer_rules: PeerRules = peer_rules(config, None)
        self.ending: tuple[CloseReason, str] = (CloseReason.LOGGED_OUT, "")
        """The reason and text of SessionEnded, to be used when the Logout handshake that this side began is
        complete.
        """
        self._ended_by: FatalMessage | None = None
        self._advice = ""

    def hand_over(self) -> list[Event]:
        """Pass the state to the session that continues this one; return the waiting events.

        The next session uses the ledger from now on. This session gets a new one, so a late call such as
        `confirm` does not affect the next session.
        """
        events, self.events = self.events, []
        self.ledger = Ledger(self.ledger.store)
        self.ledger.broken = True  # it must not change the store, which the next session uses
        self.outbound.drop()
        return events

    @property
    def store(self) -> MessageStore:
        """The store of the numbers and messages that survive the process."""
        return self.ledger.store

    def __enter__(self) -> None:
        """Begin a `with` block that uses the store; `__exit__` handles a failure of the store.

        The code that runs for every message uses a plain `try` with `store_failed` instead, because a `with`
        block takes 2% of the time of a session step.
        """

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        """End the session if the store failed in the `with` block, and continue after the block."""
        if not isinstance(error, StoreError):
            return False
        self.store_failed(error)
        return True

    def store_failed(self, error: StoreError) -> None:
        """End the session because the store failed; messages that are not durable must not be sent."""
        self.store_error = self.store_error or error
        self.ledger.broken = True  # set first, because `end` must not use the store any more
        if self.state is not State.CLOSED:
            self.end(Input.STORE_FAILED, CloseReason.STORE_FAILED, str(error))
        self.outbound.drop()

    def emit(self, event: Event) -> None:
        """Emit an event. Call this before `ledger.expected` advances past the message that causes the event.
        The store then advances past that message only when the event is confirmed.
        """
        self.ledger.marks.append(self.ledger.mark)
        self.events.append(event)

    def emit_outcomes_unknown(self, requests: Sequence[OpenRequest], why: Uncertainty) -> None:
        """Emit OutcomesUnknown for these requests, if there are any.

        On a session type with resend, the store first records that the requests are uncertain. Without this
        record, the next process would wait for their answers after a restart. Without resend, every stored
        request is uncertain after a restart anyway.
        """
        if requests:
            if self.config.session_type.resend and not self.ledger.broken:
                self.ledger.mark_uncertain(requests)
            # The confirmation of the next event settles the requests, so OutcomesUnknown must be emitted
            # next.
            self.ledger.settle_with_next_event(requests)
            self.emit(OutcomesUnknown(tuple(requests), why))

    def emit_all_outcomes_unknown(self, why: Uncertainty) -> None:
        """Emit OutcomesUnknown for all open requests."""
        self.emit_outcomes_unknown(tuple(self.ledger.open_requests.by_key.values()), why)

    def names_of(self, request: OpenRequest) -> Names:
        """Return the ids by which answers may refer to a request from an earlier process."""
        layout = self.config.dialect.messages.get(request.msg_type)
        if layout is None:
            return (NUMBER_NAME, (NO_ID, request.msg_type))
        if len(layout.request) == 1:
            return ((layout.request[0], request.request_id),)
        return names_of(self.codec.decode(Frame(request.frame)), layout)

    def message_context(
        self, sender: Sender, msg_type: str, *, allow_unknown_codes: bool = True
    ) -> MessageContext:
        """Return the context in which a message of this type is validated."""
        config = self.config
        name = config.session_type.name
        return MessageContext(config.product, name, sender, msg_type, self.client_logon, allow_unknown_codes)

    def record_logon(self, logon: Message) -> None:
        """Record the settings of the initiator's Logon."""
        facts = logon_facts(self.config.dialect, logon)
        # Compiled rules depend on these settings (for example, prices in dollars or cents), so discard the
        # rules.
        if facts != self.client_logon:
            self.client_logon = facts
            self.send_rules.clear()
            self.peer_rules = peer_rules(self.config, facts)

    def logged_on(
        self, logon: Message, heart_bt_int: int, now: Instant, *, reset: bool, requested: bool = False
    ) -> None:
        """Start the timers after the handshake, and emit LoggedOn. `reset` means that the numbers were reset,
        and `requested` that this side requested the reset.
        """
        if self.config.role is Role.ACCEPTOR:
            self.record_logon(logon)
        self.timers.logon_at = None
        self.timers.start(heart_bt_int, now.monotonic)
        self.times.record_read(logon.header.sending_time)
        if reset and self.config.session_type.resend:
            # Without resend, the numbers restart at each logon and the same message has the same number
            # again, so the record of the message that ended the session is kept.
            self.ledger.ended_by = None
        number, expected = logon.header.msg_seq_num, self.ledger.expected
        missing = (expected, number - 1) if number is not None and number > expected else None
        # With `restart_unreported`, an earlier process may have reset the numbers, and crashed before the
        # reset was confirmed. If this Logon has number 1, the peer has sent no message since that reset, so
        # none was lost.
        restarted = reset or (self.ledger.restart_unreported and number != 1)
        was_requested = requested or not restarted
        generation = self.ledger.store.generation
        self.emit(LoggedOn(logon, heart_bt_int, restarted, self.flags, missing, was_requested, generation))
        self.ledger.restart_unreported = False

    def record_peer(self, peer_comp_id: str) -> None:
        """Record the SenderCompID of the peer's Logon."""
        self.peer_comp_id = peer_comp_id
        self.peer_names = self.peer_names or frozenset((peer_comp_id,))

    def require(self, cause: Input) -> None:
        """Raise LocalProtocolError unless the current state allows this input."""
        if TRANSITIONS[self.state][cause] is None:
            # The names of the caller's inputs are verbs; the others are nouns.
            action = cause.value if cause.source is Source.CALLER else f"process {cause.value}"
            raise LocalProtocolError(f"cannot {action} in the state {self.state.value!r}")

    def move(self, cause: Input) -> None:
        """Change the state according to `TRANSITIONS`."""
        self.require(cause)
        self.state = TRANSITIONS[self.state][cause] or self.state

    def end(self, cause: Input, reason: CloseReason, text: str, *, clean: bool = False) -> None:
        """Close the session and emit SessionEnded with the reason."""
        # Evaluated here, because `move` changes the state.
        logged_out = clean and reason is CloseReason.LOGGED_OUT and self.state is State.LOGOUT_SENT
        self.move(cause)
        # With resend, requests stay open, because the peer resends their answers after the next logon.
        if reason is CloseReason.STORE_FAILED:
            self.emit_all_outcomes_unknown(Uncertainty.STORE_FAILED)
        elif not self.config.session_type.resend:
            self.emit_all_outcomes_unknown(Uncertainty.CONNECTION_ENDED)
        unverified = None if logged_out else self.resting.take_unverified(self.codec)
        if unverified is not None:
            self.emit(unverified)
        self.ledger.record_end(self._ended_by)
        self.emit(SessionEnded(reason, text, clean, len(self.outbound.buffer), self._advice))

    def record_fatal_message(self, seq_num: int, why: Hashable, advice: str) -> None:
        """Record which message ends the session, and why.

        The expected number does not advance past this message, so the peer resends it after the next logon.
        If the same message ended an earlier session for the same reason, and no session has received a higher
        number since, the message will end the next session too. Only then does SessionEnded contain `advice`.
        """
        self._ended_by = (seq_num, why)
        self._advice = advice if self._ended_by == self.ledger.ended_by else ""

    def send_logout(self, text: str | None, now: Instant) -> None:
        """Send a Logout. Characters of `text` that FIX does not allow are replaced."""
        valid_text = None if text is None else plain_text(text)
        self.outbound.post(self.outbound.admin(LOGOUT, text=valid_text), now, keep=False)

    def fail(
        self,
        reason: CloseReason,
        text: str,
        now: Instant,
        *,
        cause: Input = Input.PEER_VIOLATION,
        with_logout: bool = True,
    ) -> None:
        """End the session at once because of an error by the peer. With `with_logout`, first send a Logout
        that contains the reason.
        """
        if with_logout:
            self.send_logout(text, now)
        self.end(cause, reason, text)

    def break_off(self, reason: CloseReason, text: str, now: Instant, *, rejected: bool = False) -> None:
        """End an established session because of an error by the peer: send a Logout, and with
        `ProtocolOptions.linger` wait for the peer's Logout.

        `rejected` means that a Reject with the same `text` has already been sent.
        """
        options = self.config.protocol_options
        if self.state is not State.LOGOUT_SENT:  # otherwise a Logout was already sent
            self.send_logout(text if options.repeat_reject or not rejected else None, now)
            if options.linger:
                self.ending = (reason, text)
                self.timers.logout_at = now.monotonic + options.linger
                self.move(Input.PEER_VIOLATION_LOGOUT)
                return
        self.end(Input.PEER_VIOLATION, reason, text)

    def begin_logout(self, cause: Input, reason: CloseReason, text: str | None, now: Instant) -> None:
        """Send a Logout and wait for the peer's Logout."""
        self.require(cause)
        self.send_logout(text, now)
        self.ending = (reason, text or "")
        self.timers.logout_at = now.monotonic + self.config.logout_timeout
        self.move(cause)

    def reject(
        self, message: Message, problems: tuple[Problem, ...], now: Instant, *, will_be_resent: bool = False
    ) -> None:
        """Answer a message with a Reject (3) for its first problem; emit MessageRejected with all
        problems."""
        self.send_reject(message, problems[0], now)
        self.emit(MessageRejected(message, problems, will_be_resent))

    def send_reject(self, message: Message, first: Problem, now: Instant) -> None:
        """Answer a message with a Reject (3)."""
        header, options = message.header, self.config.protocol_options
        tag = None if (first.reason, first.tag) in options.reject_without_tag else first.tag
        reason = options.undefined_tag_reason if first.reason is Reason.UNDEFINED_TAG else first.reason
        # The MsgType is the peer's, and the text may quote the peer's values, so both may contain characters
        # that FIX does not allow.
        reply = self.outbound.admin(
            REJECT,
            ref_seq_num=header.msg_seq_num,
            ref_tag_id=tag,
            ref_msg_type=plain_text(header.msg_type) if header.msg_type else None,
            session_reject_reason=int(reason),
            text=plain_text(first.text),
        )
        self.outbound.post(reply, now, header_fields=reply_route(header), keep=False)

    def reject_unsupported(self, message: Message, problem: Problem, now: Instant) -> None:
        """Send a BusinessMessageReject (j) with 380=3 for a message that this session type does not
        support.
        """
        if BUSINESS_REJECT not in self.config.dialect.messages:
            self.reject(message, (problem,), now)
            return
        reply = self.outbound.admin(
            BUSINESS_REJECT,
            ref_seq_num=message.header.msg_seq_num,
            ref_msg_type=message.header.msg_type,
            business_reject_reason=UNSUPPORTED_MESSAGE_TYPE,
            text=plain_text(problem.text),
        )
        route = reply_route(message.header)
        # Kept for a resend: unlike a Reject, this is an application message, so the peer may request it
        # again.
        self.outbound.post(reply, now, header_fields=route, keep=self.config.session_type.resend)
        self.emit(MessageRejected(message, (problem,)))

    @property
    def is_logged_on(self) -> bool:
        """Whether the Logon handshake is complete and no Logout has been sent."""
        return self.state in LOGGED_ON_STATES
