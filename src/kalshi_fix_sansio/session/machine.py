"""The session: one FIX connection in either role, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Block, Message
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError, SendFailedError, StoreError
from kalshi_fix_sansio.events import CloseReason, Event, OpenRequest, PeerSilent
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.session.core import TEST_REQUEST, Core
from kalshi_fix_sansio.session.ledger import Ledger
from kalshi_fix_sansio.session.receive import Receiver
from kalshi_fix_sansio.session.send_validator import SendValidator
from kalshi_fix_sansio.session.states import LOGGED_ON_STATES, RECEIVING_STATES, Input, State
from kalshi_fix_sansio.session.store import MemoryStore, MessageStore
from kalshi_fix_sansio.session.timers import (
    COMMIT_DUE,
    DEADLINES_BY_STATE,
    LOGON_DUE,
    LOGOUT_DUE,
    PAGE_DUE,
    Deadline,
    Timers,
)

# Globals, for speed: see `receive`.
_CLOSED: Final = State.CLOSED
_LOGON_RECEIVED: Final = State.LOGON_RECEIVED


class Session:
    """One FIX connection, as initiator or acceptor. The caller passes in bytes and the time.

    An adapter calls `connect` when the transport is open. After every call it writes `data_to_send`, handles
    `events`, closes the transport if `wants_close`, and sleeps until bytes arrive, the store has committed
    (`MessageStore.on_commit`), or `next_deadline` is reached. Errors made by the caller raise a
    LocalProtocolError and leave the session unchanged; errors made by the peer become events. A session
    serves one connection. The next connection needs a new Session that `continues` this one or, after a
    restart, is created with the same store.

    `data_to_send` returns the bytes of a message only when the store's record of the message is durable.
    Messages sent during a commit of the store are recorded together by the next commit. The store's
    `next_incoming` advances when the user confirms events. If the store fails, is lost, or takes longer than
    `commit_timeout`, the session ends with CloseReason.STORE_FAILED. Of all methods, only `send`, `forward`
    and `test_request` then raise an exception, because they must return a value.

    Settings of SessionConfig limit the memory of a session. The limits apply to partial messages, messages
    held during a gap, bytes and events that the caller has not fetched, the record of sent messages, and
    unanswered requests.
    """

    def __init__(
        self,
        config: SessionConfig,
        store: MessageStore | None = None,
        *,
        continues: Session | None = None,
    ) -> None:
        """Create the session of one connection.

        `continues` is the session of the previous connection in the same process. The new session takes over
        its store, its numbers, and its events that were not fetched or not confirmed. After a restart of the
        process, only the store is available. Its expected number may then be lower than the last one
        received, so the peer resends messages that were not confirmed. Raises LocalProtocolError if the
        previous session is still running, or if `store` is passed too.
        """
        if continues is None:
            self._core = Core(config, Ledger(MemoryStore() if store is None else store))
        elif store is not None or continues.state not in {State.CLOSED, State.DISCONNECTED}:
            raise LocalProtocolError(
                "`continues` must not be running, and `store` must be left out, because the new session uses "
                "the store of `continues`"
            )
        else:
            # Read the ledger first: `hand_over` then gives the previous session a new one.
            self._core = Core(config, continues._core.ledger)
            self._core.event_bytes = continues._core.event_bytes
            self._core.events = continues._core.hand_over()
        self._receiver = Receiver(self._core)
        self._resender = self._receiver.resender
        self._send_validator = SendValidator(self._core)
        self._actions: Mapping[Deadline, Callable[[Instant], None]] = {
            COMMIT_DUE: self._handle_commit_timeout,
            LOGON_DUE: self._receiver.handshake.handle_timeout,
            Timers.reset_due: self._receiver.handshake.handle_timeout,
            LOGOUT_DUE: self._handle_logout_timeout,
            Timers.heartbeat_due: self._receiver.send_heartbeat,
            Timers.silence_due: self._handle_silence,
            Timers.resend_due: self._receiver.recovery.handle_stall,
            PAGE_DUE: self._resender.continue_resend,
        }
        """The actions for expired deadlines. `CALL_DUE` has none: `handle_timer` postpones it first."""
        self._max_events, self._max_event_bytes = config.max_events, config.max_event_bytes
        self._unsent_limit = 2 * config.max_unsent
        self._explicit_confirm = config.explicit_confirm

    @property
    def config(self) -> SessionConfig:
        """The settings passed to the constructor."""
        return self._core.config

    @property
    def store(self) -> MessageStore:
        """The store with the sequence numbers and the messages that the peer can request again."""
        return self._core.store

    @property
    def store_error(self) -> StoreError | None:
        """The store's error that ended the session; None while the store works."""
        return self._core.store_error

    @property
    def took_number(self) -> bool:
        """Whether the last call to `send`, `forward` or `test_request` used a number. If the call raised an
        exception, for example from a signal handler, and this is False, the session is unchanged.
        """
        return self._core.outbound.took_number

    @property
    def state(self) -> State:
        """The state of the session."""
        return self._core.state

    @property
    def is_established(self) -> bool:
        """Whether the Logon handshake is complete and no Logout has been sent, so that `send` is possible."""
        return self._core.state in LOGGED_ON_STATES

    @property
    def wants_close(self) -> bool:
        """Whether the caller must close the transport after `data_to_send` is written. The last bytes, such
        as a Logout, may still wait for a commit (`unreleased`).
        """
        return self._core.state is _CLOSED

    @property
    def ticket(self) -> int:
        """The ticket (number) of the last commit that was begun. All messages sent before the last call to
        `data_to_send` or `begin_commit` are durable once the store's `durable` has reached this ticket.
        """
        return self._core.ledger.ticket

    @property
    def unreleased(self) -> int:
        """The number of bytes that `data_to_send` has not returned. These bytes wait for a commit of the
        store: call `data_to_send` again when the commit is durable."""
        return len(self._core.outbound.buffer)

    def is_released(self, ticket: int) -> bool:
        """Return whether no bytes wait for the commit with this ticket any more: they can be written, or were
        dropped at the end of the session.
        """
        return self._core.outbound.oldest_ticket > ticket

    @property
    def released(self) -> int:
        """The last ticket whose bytes `data_to_send` has returned, in this session or earlier ones."""
        return self._core.ledger.released

    @property
    def next_outgoing(self) -> int:
        """MsgSeqNum of the next message that this side sends."""
        return self._core.store.next_outgoing

    @property
    def next_incoming(self) -> int:
        """MsgSeqNum expected next from the peer."""
        return self._core.ledger.expected

    @property
    def open_requests(self) -> tuple[OpenRequest, ...]:
        """The requests that were sent and have no answer yet, oldest first, except those that OutcomesUnknown
        has reported. Before `connect`, requests that an earlier process left in the store are not
        included.
        """
        return tuple(self._core.ledger.open_requests.by_key.values())

    @property
    def peer_comp_id(self) -> str | None:
        """SenderCompID of the peer; None until its Logon is received."""
        return self._core.peer_comp_id

    # Logon

    def connect(self, now: Instant) -> None:
        """Start the session when the transport is open. An initiator queues its Logon; an acceptor starts to
        wait for the peer's Logon.

        Raises LocalProtocolError after an earlier `connect`. An initiator also raises InvalidMessageError if
        the dialect does not allow its `logon_fields` on this session type, and the exceptions of
        `sign_logon`.
        """
        core = self._core
        core.times.record_call(now)
        if core.config.role is Role.INITIATOR:
            with core:
                self._receiver.handshake.begin(now)
        else:
            core.move(Input.LISTEN)
            core.timers.logon_at = now.monotonic + core.config.logon_timeout

    def accept_logon(
        self, now: Instant, *, store: MessageStore | None = None, fields: Block | None = None
    ) -> None:
        """Accept the Logon of the last LogonRequested event: send the answer and continue reading.

        An acceptor that identifies the peer by its Logon passes the peer's own `store`. The session then uses
        the numbers of this store, so it ends if the MsgSeqNum of the Logon is too low for them. `fields` are
        additional fields of the answer, in the dialect's `LogonFields`; they take precedence over those of
        the SessionConfig.

        Raises LocalProtocolError if no Logon waits for an answer, or if `fields` is not a valid
        `LogonFields`, InvalidMessageError if the dialect does not allow the answer, and the exceptions of
        `sign_logon`. A waiting Logon can then still be accepted or refused.
        """
        with self._core:
            self._receiver.handshake.accept(store, fields, now)
            # Messages after the peer's Logon were not read until the user answered it.
            if self._core.framer.pending:
                self._core.times.catch_up()
            self._receiver.drain(now)
            self._watch_backlog()

    def refuse_logon(self, text: str, now: Instant) -> None:
        """Refuse the Logon of the last LogonRequested event: send a Logout with this Text and end.

        Raises LocalProtocolError if no Logon waits for an answer.
        """
        with self._core:
            self._receiver.handshake.refuse(text, now)

    # Incoming

    def receive_data(self, data: bytes, now: Instant) -> None:
        """Process bytes received from the transport. Bytes received after the end of the session are ignored.

        Raises LocalProtocolError before `connect`, or if too many events are unfetched (`max_events` or
        `max_event_bytes`). With `explicit_confirm`, fetched but unconfirmed events count towards `max_events`
        too. If the peer resets the numbers within the session, the answer is a Logon, so this method raises
        the exceptions of `sign_logon`; call `abort` in that case.
        """
        core = self._core
        if core.state not in RECEIVING_STATES:
            core.require(Input.PEER_MESSAGE)
        if core.state is _CLOSED:
            return
        # Checked before any bytes are consumed, so the caller can pass the same bytes again.
        if not core.events:
            core.event_bytes = 0
        elif len(core.events) >= self._max_events or core.event_bytes >= self._max_event_bytes:
            raise LocalProtocolError(
                f"unfetched events: {len(core.events)} ({core.event_bytes} bytes); call events() before "
                "receiving more"
            )
        if self._explicit_confirm and len(core.ledger.fetched_marks) + len(core.events) >= self._max_events:
            raise LocalProtocolError(
                f"unconfirmed events: {len(core.ledger.fetched_marks)}, unfetched: {len(core.events)}; "
                "confirm some before receiving more"
            )
        core.event_bytes += len(data)
        core.framer.feed(data)
        try:  # not `with core`: see `Core.__enter__`
            self._receiver.drain(now)
            if core.state is _LOGON_RECEIVED and core.framer.pending > core.config.max_message_size:
                text = "the peer sent too many bytes before its Logon was answered"
                core.fail(CloseReason.PROTOCOL_ERROR, text, now)
            if len(core.outbound.buffer) > self._unsent_limit:
                self._watch_backlog()
        except StoreError as error:
            core.store_failed(error)

    def receive_eof(self, now: Instant) -> None:  # noqa: ARG002 - the time is part of every input
        """Record that the transport was closed or failed. Unsent bytes are dropped.

        Raises LocalProtocolError before `connect`.
        """
        core = self._core
        core.require(Input.PEER_GONE)
        if core.state is State.CLOSED:
            return
        reason, text = CloseReason.CONNECTION_LOST, "the connection ended without a Logout"
        if core.state in {State.LOGOUT_SENT, State.ENDING}:
            # The session was already ending, and the reason for that is more informative.
            reason, reported = core.ending
            text = reported or "the connection ended before the peer answered the Logout"
        elif self._receiver.handshake.refusal is not None:
            reason, text = CloseReason.LOGON_REFUSED, self._receiver.handshake.refusal
        core.end(Input.PEER_GONE, reason, text)
        core.outbound.drop()  # after `end`, which reports the unsent bytes

    def pause_reading(self) -> None:
        """Record that the caller has paused reading from the transport, for example because of a slow user.

        This side's Heartbeats continue. The peer's silence is ignored until `resume_reading`. Messages that
        arrived during the pause are then accepted even if their SendingTime is old.
        """
        self._core.timers.reading_paused = True

    def resume_reading(self, now: Instant, *, waited: float | None = None) -> None:
        """Record that the caller reads again. The peer's silence is measured from now on.

        `waited` is how long the next bytes have waited to be read, in seconds, if the caller knows it. If it
        is passed, messages that were already too old when they arrived are rejected.
        """
        timers, times = self._core.timers, self._core.times
        if timers.reading_paused:
            timers.reading_paused = False
            if waited is None:
                times.catch_up()
            else:
                times.catch_up_with(waited, now)
            self._receiver.restart_waits(now)

    def events(self) -> list[Event]:
        """Return the events since the last call, in sequence.

        This call confirms the events returned by earlier calls, unless `explicit_confirm` is set.
        """
        core, ledger = self._core, self._core.ledger
        # Confirm even if there are no unconfirmed events, because the store must also advance past session
        # messages. Confirm before the events are collected, because a failure of the store emits
        # SessionEnded.
        try:
            if self._explicit_confirm:
                ledger.advance()
            else:
                ledger.confirm(None)
        except StoreError as error:
            core.store_failed(error)
        if not core.events:
            return []
        ledger.fetched_marks.extend(ledger.marks)
        ledger.marks.clear()
        events, core.events = core.events, []
        return events

    def confirm(self, count: int | None = None) -> None:
        """Confirm that the user has handled the oldest `count` fetched events (default: all), so their
        messages are not resent after a crash.

        With `explicit_confirm`, only this method confirms events. It may be called at any time, even after
        the end of the session. If this session `continues` another one, the events of that session are
        confirmed first. Raises LocalProtocolError if fewer than `count` events are unconfirmed.
        """
        ledger = self._core.ledger
        unconfirmed = len(ledger.fetched_marks)
        if count is not None and not 0 <= count <= unconfirmed:
            raise LocalProtocolError(
                f"count must be 0 to {unconfirmed}, the number of unconfirmed events, not {count}"
            )
        try:
            ledger.confirm(count)
        except StoreError as error:
            self._core.store_failed(error)

    @property
    def unconfirmed(self) -> int:
        """The number of fetched events that are not confirmed."""
        return len(self._core.ledger.fetched_marks)

    # Outgoing

    def prepare(self, frames: Iterator[bytes] | None = None) -> bool:
        """Compile one check or decoder in advance; return False if none is left.

        Each call compiles the first of these that is missing:

        - the checks of a type of message that this side may send
        - the decoder for the next of `frames`
        - a decoder that the codec has deferred (`Codec.with_deferred_compilation`)

        Calling this is optional. Without it, `send` compiles missing checks itself, which makes the first
        message of a type hundreds of times slower than the next. One call takes up to 5 ms, or almost no time
        if another session of the process has compiled the same check or decoder. Call it while the answer to
        the Logon is awaited, and run the timers between the calls. Later, call it when there is nothing to
        read. Deferred decoders are not compiled while requests wait for their answers. `frames` are examples
        of the expected messages; bytes that are not a valid message are ignored. Raises LocalProtocolError
        before the initiator's Logon is sent or received, because its settings determine the checks.
        """
        if self._send_validator.prepare():
            return True
        core = self._core
        frame = None if frames is None else next(frames, None)
        if frame is not None:
            core.codec.prepare(frame)
            return True
        return not core.ledger.open_requests.by_key and core.codec.compile_deferred()

    def data_to_send(self) -> bytes:
        """Return the bytes to write to the transport, all of which are durable in the store. The caller must
        write all of them, in this order.

        If further bytes need a commit, this method begins it; call this method again when the commit is
        durable. If the commit fails, the bytes that wait for it are dropped.
        """
        core, data = self._core, b""
        ledger, outbound = core.ledger, core.outbound
        # Also commit records without outgoing bytes, such as the peer's answer to a reset.
        if outbound.buffer or ledger.unsaved:
            try:
                ticket = ledger.begin_commit(sending=bool(outbound.buffer))
                data = outbound.release(ticket, ledger.store.durable)
            except StoreError as error:
                core.store_failed(error)
        # Produce the next page of a resend only after progress: while all bytes wait for a commit, the page
        # would wait too. Do not require an empty buffer, because a user who keeps sending never empties it.
        if self._resender.job is not None and (data or not outbound.buffer):
            self._resender.mark_written()
        return data

    def begin_commit(self) -> int:
        """Begin the commit of everything recorded so far; return its `ticket`.

        Call this instead of `data_to_send` while the transport cannot accept more bytes. The commit then
        begins now, so a slow transport does not count towards `commit_timeout`.
        """
        core = self._core
        ledger, outbound = core.ledger, core.outbound
        try:
            ticket = ledger.begin_commit(sending=bool(outbound.buffer))
            if outbound.buffer:
                outbound.assign(ticket, ledger.store.durable)
        except StoreError as error:
            core.store_failed(error)
        return ledger.ticket

    def record_store_loss(self, error: StoreError) -> None:
        """Record that the store was lost, for example because another process has taken it over. The session
        ends with CloseReason.STORE_FAILED, and bytes that are not durable are not sent.
        """
        self._core.store_failed(error)

    def send(
        self,
        message: Message,
        now: Instant,
        *,
        header_fields: Mapping[str, Any] | None = None,
        allow_unknown_codes: bool = False,
    ) -> int:
        """Send an application message; return its MsgSeqNum.

        `header_fields` are further attributes of its header, such as `{"poss_resend": True}`. With
        `allow_unknown_codes`, the message may contain code values that the dialect does not define, such as
        those that the peer has introduced recently.

        Raises InvalidMessageError if the message violates the dialect's rules for this product, session type,
        side, and the settings of the Logon. Raises EncodeError if a value cannot be represented in FIX, and
        TypeError or ValueError if the header does not accept a value. Raises LocalProtocolError if the
        session is not logged on, if it sends this type of message itself, if the peer does not read, or if
        there are too many open requests. After any of these exceptions, no message is sent and no number is
        used. Raises SendFailedError if the store fails to record the message, which ends the session. If only
        the later commit fails, this method does not raise: `data_to_send` returns no bytes, and `store_error`
        is set.
        """
        core = self._core
        core.outbound.took_number = False
        names = self._send_validator.check(message, header_fields, allow_unknown_codes=allow_unknown_codes)
        # Without resend, the peer cannot request the message again, so it is not kept.
        keep = core.config.session_type.resend
        try:  # not `with core`: see `Core.__enter__`
            return core.outbound.post(message, now, header_fields=header_fields, keep=keep, names=names)
        except StoreError as error:
            core.store_failed(error)
        # Raise an exception, because there is no number to return. SessionEnded reports the end of the
        # session.
        raise SendFailedError(core.store_error)

    def forward(
        self,
        frame: bytes,
        now: Instant,
        *,
        header_fields: Mapping[str, Any] | None = None,
        allow_unknown_codes: bool = False,
    ) -> int:
        """Send an application message that was received elsewhere, with an unchanged body; return its
        MsgSeqNum.

        `frame` is the complete message, such as `MessageReceived.frame`. Its header and trailer are replaced;
        `header_fields` and `allow_unknown_codes` are as in `send`. Raises DecodeError if the frame is not one
        complete message, InvalidMessageError if its body has problems, and EncodeError if replacing the
        header and trailer would change how the body is decoded. Also raises the exceptions of `send`.
        """
        core = self._core
        core.outbound.took_number = False
        message = core.codec.decode(frame)
        names = self._send_validator.check(message, header_fields, allow_unknown_codes=allow_unknown_codes)
        # Header and trailer are replaced, so problems in them are ignored.
        if message.problems:
            dialect = core.config.dialect
            replaced = {member.tag for member in (*dialect.header.members, *dialect.trailer.members)}
            if problems := tuple(each for each in message.problems if each.tag not in replaced):
                raise InvalidMessageError(message.NAME, problems)
        keep = core.config.session_type.resend
        with core:
            return core.outbound.post(
                message, now, header_fields=header_fields, keep=keep, names=names, received=Frame(frame)
            )
        # Reached if the store failed: `with core` has caught the StoreError and ended the session.
        raise SendFailedError(core.store_error)

    def test_request(self, now: Instant, *, test_req_id: str | None = None) -> str:
        """Send a TestRequest with this TestReqID (112); return the TestReqID.

        Raises LocalProtocolError if the session is not logged on, EncodeError or TypeError if the TestReqID
        has no FIX form, and SendFailedError if the store fails.
        """
        core = self._core
        core.outbound.took_number = False
        core.require(Input.SEND)
        # If the store fails, the context ends the session and suppresses the StoreError.
        with core:
            return self._send_test_request(test_req_id, now)
        raise SendFailedError(core.store_error)

    def reset(self, now: Instant) -> None:
        """Restart both directions at MsgSeqNum 1 within the session, with a Logon that contains
        ResetSeqNumFlag=Y (FIXT 1.1 session layer, "Logon").

        A LoggedOn event with `reset` reports the peer's answer. Until then, the user cannot send messages,
        and the peer's earlier messages are still received. After the reset, neither side can request earlier
        messages. If the session ends before the answer, the next logon resets the numbers too. Raises
        LocalProtocolError if the session is not logged on, or while messages from the peer are missing, and
        the exceptions of `sign_logon`.
        """
        with self._core:
            self._receiver.handshake.resets.begin(now)

    def logout(self, now: Instant, *, text: str | None = None) -> None:
        """Begin the Logout handshake. The session continues to receive messages until the peer's Logout or
        `logout_timeout`.

        Characters that Text (58) cannot contain are replaced, and a long text is truncated. Raises
        LocalProtocolError if the session is not logged on.
        """
        with self._core:
            self._core.begin_logout(Input.LOGOUT, CloseReason.LOGGED_OUT, text, now)

    def abort(self, text: str, now: Instant) -> None:
        """End the session at once. If the peer is logged on, send a Logout with this Text, but do not wait
        for the answer.
        """
        core = self._core
        if core.is_logged_on or core.state is State.RESETTING:
            with core:
                core.send_logout(text, now)
        if core.state is not State.CLOSED:  # not if the store failed to record the Logout
            core.end(Input.ABORT, CloseReason.LOCAL_ABORT, text)

    def _watch_backlog(self) -> None:
        """End the session if the buffer exceeds its limit: the peer sends requests but does not read the
        answers, or the store is slow. The largest message is not counted, because one message of any size
        must fit.
        """
        core, outbound = self._core, self._core.outbound
        waiting = len(outbound.buffer) - outbound.largest_message
        if waiting <= self._unsent_limit or core.state is _CLOSED:
            return
        if core.timers.commit_at is not None:
            core.store_failed(StoreError(f"{waiting} bytes are waiting for the store to commit"))
        else:
            core.end(Input.PEER_VIOLATION, CloseReason.PROTOCOL_ERROR, "the peer has stopped reading")

    # Time

    def next_deadline(self) -> float | None:
        """Return the time by which to call `handle_timer`, in seconds of `Instant.monotonic`; None if no call
        is needed.
        """
        core = self._core
        return core.timers.next_deadline(core.state)

    def handle_timer(self, now: Instant) -> None:
        """Run all actions that are due, such as Heartbeats, TestRequests to a silent peer, and timeouts."""
        core, state = self._core, self._core.state
        # `record_call` sets `call_at` to a later time, so `CALL_DUE` is never due below.
        if core.times.record_call(now):
            self._receiver.restart_waits(now)
        first = core.timers.next_deadline(state)
        try:
            if first is not None and first <= now.monotonic:
                for deadline in DEADLINES_BY_STATE[state]:
                    # Evaluate each deadline only after the previous action, which may move it or end the
                    # session. For example, a TestRequest to a silent peer replaces a Heartbeat that is due.
                    due = deadline(core.timers)
                    if due is not None and due <= now.monotonic and core.state is state:
                        self._actions[deadline](now)
            if len(core.outbound.buffer) > self._unsent_limit:
                self._watch_backlog()
        except StoreError as error:
            core.store_failed(error)

    def _send_test_request(self, test_req_id: str | None, now: Instant) -> str:
        outbound = self._core.outbound
        if test_req_id is None:
            test_req_id = f"TEST-{self._core.store.next_outgoing}"
        outbound.post(outbound.admin(TEST_REQUEST, test_req_id=test_req_id), now, keep=False)
        return test_req_id

    def _handle_silence(self, now: Instant) -> None:
        """Handle a peer that has sent no complete message for too long: send a TestRequest, or end the
        session if the last TestRequest was not answered.

        Before that, search the incomplete message in the buffer for the start of another message. An
        incomplete message that contains none may just be late.
        """
        core = self._core
        # If BodyLength is too large, the messages that follow are taken for its body, so a live peer appears
        # silent. They may have arrived long ago, so `catch_up` allows an old SendingTime.
        if core.framer.contains_message_start:
            state = core.state
            core.framer.resync()
            core.times.catch_up()
            self._receiver.drain(now)
            # Return if `drain` has found a complete message, or has ended the session because of garbage.
            if core.timers.last_received == now.monotonic or core.state is not state:
                return
        if core.timers.probed_at is None:
            test_req_id = self._send_test_request(core.config.protocol_options.test_req_id, now)
            core.timers.probed_at = now.monotonic
            core.emit(PeerSilent(test_req_id))
            return
        silence = now.monotonic - core.timers.last_received
        text = f"no message was received for {silence:.0f} seconds, and a TestRequest was not answered"
        with_logout = core.config.protocol_options.explain_violation
        core.fail(CloseReason.PEER_SILENT, text, now, cause=Input.SILENCE, with_logout=with_logout)

    def _handle_commit_timeout(self, now: Instant) -> None:
        core = self._core
        # If the commit has failed in the meantime, `durable` raises a StoreError, and `handle_timer` ends the
        # session.
        if core.ledger.store.durable >= core.outbound.oldest_ticket:
            # The commit is durable, but the caller was blocked and has not fetched the bytes yet.
            core.timers.commit_at = now.monotonic + core.timers.commit_limit
            return
        text = f"the store has not completed a commit within {core.timers.commit_limit:g} seconds"
        core.store_failed(StoreError(text))

    def _handle_logout_timeout(self, now: Instant) -> None:  # noqa: ARG002 - every timer action gets the time
        reason, reported = self._core.ending
        timeout = self._core.config.logout_timeout
        text = reported or f"the peer did not answer the Logout within {timeout:g} seconds"
        self._core.end(Input.LOGOUT_OVERDUE, reason, text)
