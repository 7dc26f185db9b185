"""The state that the next connection in the same process takes over: the store, the expected number, and the
confirmations of events.

There are two values of the MsgSeqNum expected next from the peer. `expected`, in memory, advances with each
message. `next_incoming`, in the store, advances only when the user has confirmed the events of all earlier
messages. If the process crashes, the peer therefore resends the messages between the two. A session that
continues another one takes over its ledger, so messages whose events have not been fetched yet are neither
requested again nor lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence

import attrs

from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.open_requests import Names, OpenRequests
from kalshi_fix_sansio.session.store import MessageStore, StoredMessage

VOID = 0
"""The mark (see `Ledger.marks`) of an event that was emitted before a reset of the numbers. It is lower than
every number, so the confirmation of the event does not advance the store.
"""
ALREADY_FAILED = "the store has already failed; reopen it and start a new Session"
FatalMessage = tuple[int, Hashable]
"""MsgSeqNum of the message that ended a session, and the reason."""


class Ledger:
    """Tracks the expected number, records in the store which messages are confirmed, and begins commits."""

    def __init__(self, store: MessageStore) -> None:
        self.store: MessageStore = store
        self.expected: int = store.next_incoming
        """MsgSeqNum expected next from the peer."""
        self.restart_unreported: bool = _has_confirmed_no_message(store)
        """Whether an earlier process may have reset the numbers and crashed before its user confirmed the
        reset.
        """
        self.broken: bool = False
        """Whether the store has failed."""
        self.ended_by: FatalMessage | None = None
        """The message that ended an earlier session; None if there is none, or if a later session has
        received a higher number.
        """
        self.marks: list[int] = []
        """For each event that has not been fetched yet, the number to which the store may advance when all
        events before it are confirmed.
        """
        self.open_requests: OpenRequests = OpenRequests()
        """Requests that have neither been answered nor reported as unanswered."""
        self.next_key: int = 1
        """The key of the next request."""
        self.fetched_marks: deque[int] = deque()
        """The marks of the events that were fetched but are not confirmed."""
        self._confirmed_count = 0
        """The number of events confirmed with this ledger. Events are indexed from 0, so this is also the
        index of the oldest unconfirmed event.
        """
        self._numbers_agree = True
        """Whether store and peer use the same numbers; False while a requested reset is unanswered."""
        self._max_mark = VOID
        """While requests are suspect (see `suspect`), the number beyond which the store must not advance;
        otherwise VOID.
        """
        self._suspect_before = 0
        """Requests with a lower MsgSeqNum are suspect, unless they were resent to the peer after the gap was
        detected.
        """
        self._lost_before = 0
        """Requests with a lower MsgSeqNum are suspect, even if they were resent."""
        self._settling_requests: deque[tuple[int, Sequence[int], int]] = deque()
        """Requests to settle (remove from the store as answered) when an event is confirmed: the index of the
        event, and the keys and total bytes of the requests.
        """
        self.settling_count: int = 0
        """The number of requests in `_settling_requests`."""
        self.settling_bytes: int = 0
        """Total bytes of the requests in `_settling_requests`, which are still in the store."""
        self._resent_before: dict[int, int] = {}
        """The open requests that were resent to the peer: by key, the next outgoing number at that time."""
        self._loaded = False
        """Whether the store's requests have been loaded."""
        self.ticket: int = 0
        """Ticket of the last commit that was begun."""
        self.released: int = 0
        """The last ticket whose bytes were returned to be written to a transport, by this session or earlier
        ones.
        """
        self.unsaved: bool = False
        """Whether there are uncommitted records that must be durable before further messages are sent."""
        self._unsaved_confirmations = False
        """Whether there are uncommitted confirmations. They wait for the next commit of a sent message. If a
        crash loses them, the peer only resends a few messages, so a separate disk flush is not justified.
        """

    # Confirmed events

    @property
    def mark(self) -> int:
        """The number to which the store may advance when all events emitted so far are confirmed."""
        return self._max_mark or self.expected

    def confirm(self, count: int | None) -> None:
        """Confirm the oldest `count` events that were fetched; all of them if `count` is None."""
        fetched_marks = self.fetched_marks
        if count is None:
            count = len(fetched_marks)
        if count:
            self._confirmed_count += count
            if count == len(fetched_marks):
                fetched_marks.clear()
            else:
                for _ in range(count):
                    fetched_marks.popleft()
            # Settle requests before the number advances, because after a crash the store may contain only the
            # first of two records. With the number first, the answer might not be resent, and its request
            # would stay open forever.
            if self._settling_requests:
                self._settle_confirmed()
        self.advance()

    def advance(self) -> None:
        """Advance the store's number as far as the oldest unconfirmed event allows."""
        if not self._numbers_agree or self.broken:
            return
        # Only the first mark matters: marks never decrease, except for void marks.
        if self.fetched_marks:
            mark = self.fetched_marks[0]
        else:
            mark = self.marks[0] if self.marks else self._max_mark or self.expected
        if mark > self.store.next_incoming:
            self.store.advance_incoming(mark)
            self._unsaved_confirmations = True

    def _settle_confirmed(self) -> None:
        """Settle the requests answered by confirmed events."""
        settling = self._settling_requests
        settled: list[int] = []
        # Indexes begin at 0, so event n is confirmed when n + 1 events are confirmed.
        while settling and settling[0][0] < self._confirmed_count:
            _, keys, size = settling.popleft()
            settled.extend(keys)
            self.settling_bytes -= size
        self.settling_count -= len(settled)
        if settled and not self.broken:
            self.store.settle_requests(settled)
            self._unsaved_confirmations = True

    # Records

    def use_number(
        self, seq_num: int, message: StoredMessage | None, request: OpenRequest | None, names: Names
    ) -> None:
        """Record the number of a message that is about to be sent. For a request, `names` are the ids by
        which answers refer to it.

        Raises:
            StoreError: the store has failed.
        """
        if self.broken:
            raise StoreError(ALREADY_FAILED)
        self.unsaved = True
        store = self.store
        store.record_sent(seq_num, message)
        if request is not None:
            self.next_key = request.key + 1
            # Two orders with the same ClOrdID are distinguished by their OrderIDs, but these are only in
            # memory. After a restart, a report about the first order could be mistaken for the answer to this
            # request. The request is therefore stored as uncertain.
            repeated = self.open_requests.is_repeated(request.msg_type, names)
            store.record_request(attrs.evolve(request, uncertain=True) if repeated else request)
            self.open_requests.add(request, names)

    def reset(self, *, unanswered: bool) -> None:
        """Restart the numbers of both directions at 1. With `unanswered`, the peer has not accepted the reset
        yet.

        Raises:
            StoreError: the store has failed.
        """
        if self.broken:
            raise StoreError(ALREADY_FAILED)
        self.unsaved = True
        self.store.reset(unanswered=unanswered)
        self._void_marks()
        self._numbers_agree = not unanswered
        # Until the peer answers, its messages still have the old numbers. `expected` still follows them, but
        # they must not be written to the store, whose numbers have already restarted at 1.
        if not unanswered:
            self.expected = 1

    def reset_answered(self) -> None:
        """Complete a reset that the peer has accepted: its next number is 1."""
        self.unsaved = True
        self.store.reset_answered()
        self._void_marks()
        self._numbers_agree = True
        self.expected = 1

    def use_store(self, store: MessageStore) -> None:
        """Switch to the numbers and messages of another store."""
        if store is self.store:
            return  # keep `expected`, which may be ahead of the store
        self.store = store
        self.expected = store.next_incoming
        self.restart_unreported = _has_confirmed_no_message(store)
        self.broken = False
        self._numbers_agree = True
        self.unsaved = self._unsaved_confirmations = False
        self.ticket = self.released = 0
        self._void_marks()

    def begin_commit(self, *, sending: bool) -> int:
        """Begin a commit if there are uncommitted records that outgoing bytes depend on. With `sending`,
        which means that bytes wait to be sent, also begin one if there are uncommitted confirmations. Return
        the ticket of the last commit begun.

        Raises:
            StoreError: the store has failed.
        """
        if self.unsaved or (sending and self._unsaved_confirmations):
            if self.broken:
                raise StoreError(ALREADY_FAILED)
            self.ticket = self.store.begin_commit()
            self.unsaved = self._unsaved_confirmations = False
        return self.ticket

    def _void_marks(self) -> None:
        """Set the marks of unconfirmed events to VOID. The events themselves remain: `confirm` counts them,
        and settles their requests.
        """
        self._max_mark, self._lost_before = VOID, 0
        self.marks[:] = [VOID] * len(self.marks)
        self.fetched_marks = deque([VOID] * len(self.fetched_marks))

    def record_end(self, ended_by: FatalMessage | None) -> None:
        """Record the end of a session; `ended_by` is None if no message caused it.

        If a session ends for another reason, such as a connection loss, the message that ended an earlier
        session may still end the next one. Its record is therefore kept until a session receives a higher
        number.
        """
        if ended_by is not None:
            self.ended_by = ended_by
        elif self.ended_by is not None and self.expected > self.ended_by[0]:
            self.ended_by = None

    # Requests

    def load_requests(self, names_of: Callable[[OpenRequest], Names]) -> Sequence[OpenRequest]:
        """Load the open requests of earlier processes from the store, and return them. Only the first call
        loads any.
        """
        if self._loaded:
            return ()
        self._loaded = True
        requests = self.store.open_requests()
        for request in requests:
            self.open_requests.add(request, names_of(request))
            self.next_key = max(self.next_key, request.key + 1)
        return requests

    def record_resend(self, seq_num: int) -> None:
        """If the message with this number is an open request, record that it was resent, so its answer is
        still to be received.
        """
        request = self.open_requests.find_by_number(seq_num)
        if request is not None:
            self._resent_before[request.key] = self.store.next_outgoing

    def settle_with_next_event(self, requests: Iterable[OpenRequest]) -> None:
        """Settle these requests when the event that is emitted next is confirmed.

        Until then, they stay in the store. If the process crashes first, the next process still finds them
        open, and the peer resends the answer. The caller must emit the event of the answer next.
        """
        keys = []
        size = self.open_requests.size
        for request in requests:
            keys.append(request.key)
            self.open_requests.remove(request)
            if self._resent_before:
                self._resent_before.pop(request.key, None)
        size -= self.open_requests.size
        self.settling_count += len(keys)
        self.settling_bytes += size
        self._settling_requests.append(
            (self._confirmed_count + len(self.fetched_marks) + len(self.marks), keys, size)
        )

    def suspect(self, sent_before: int, *, lost: bool) -> None:
        """Record that the message with the expected number will not be received. It may have been the answer
        to a request with a number below `sent_before`, so these requests are suspect.

        With `lost`, the missing message may have been any answer. Otherwise a gap fill replaced it, so it can
        only have been a Reject. A peer that has requested a message again has not rejected it, so requests
        that were resent are then not suspect. The number in the store does not advance until `take_suspects`
        returns the suspect requests; after a crash, the same loss is therefore detected again.
        """
        oldest = next(iter(self.open_requests.by_key.values()), None)
        if oldest is not None and oldest.seq_num < sent_before:
            self._max_mark = self.mark  # unchanged if requests are already suspect
            self._suspect_before = sent_before
            if lost:
                self._lost_before = sent_before

    def take_suspects(self) -> list[OpenRequest]:
        """Return the suspect requests that are still unanswered now that the gap is closed. Afterwards, no
        request is suspect.
        """
        if not self._max_mark:
            return []
        # If no message was lost, a request that was resent after the gap was detected is not suspect, because
        # its answer follows the gap. If messages were lost, the answer may have been among them.
        lost_before, self._lost_before = self._lost_before, 0
        self._max_mark = VOID
        resent_before, suspect_before = self._resent_before, self._suspect_before
        return [
            request
            for request in self.open_requests.by_key.values()
            if request.seq_num < lost_before
            or resent_before.get(request.key, request.seq_num) < suspect_before
        ]

    def mark_uncertain(self, requests: Iterable[OpenRequest]) -> None:
        """Record in the store that no answer to these requests is expected. The record becomes durable before
        further messages are sent.
        """
        self.unsaved = True
        for request in requests:
            self.store.record_request(attrs.evolve(request, uncertain=True))


def _has_confirmed_no_message(store: MessageStore) -> bool:
    """Return whether, since the last reset, this side has sent messages but confirmed none of the peer's."""
    return store.next_incoming == 1 < store.next_outgoing
