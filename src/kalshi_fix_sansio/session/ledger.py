"""What one process knows beyond a single connection: the store, what has come, and what the user has taken
care of.

There are two counts of the peer's numbers. `expected` is in memory and moves with each message. The store's
moves only when the events of everything before it are confirmed: if the process dies, the messages between
the two are sent again rather than lost. A session that continues another one takes over its ledger, so that
what waits for the user in between is neither asked for again nor forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence

import attrs

from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.outcomes import OpenRequest
from kalshi_fix_sansio.session.requests import Names, OpenRequests
from kalshi_fix_sansio.session.store import MessageStore, StoredMessage

VOID = 0
"""The mark of an event whose number no longer counts, because the numbers started again. It is below every
number, so it moves the store nowhere; the event itself still waits to be confirmed."""
FAILED_BEFORE = "the store has failed before; open it anew and begin a new Session on it"
EndedBy = tuple[int, Hashable]
"""The number of the message by which a session ended, and why it did."""


class Ledger:
    """Counts what comes in, confirms it to the store, and knows what is not durable yet."""

    __slots__ = (
        "_confirmed",
        "_counting",
        "_held_at",
        "_loaded",
        "_lost_before",
        "_sent_again",
        "_settling",
        "_stale",
        "_suspect_before",
        "broken",
        "ended_by",
        "expected",
        "handed",
        "marks",
        "next_key",
        "open",
        "restart_untold",
        "settling",
        "settling_bytes",
        "store",
        "unsaved",
    )

    def __init__(self, store: MessageStore) -> None:
        self.store: MessageStore = store
        self.expected: int = store.next_incoming
        """MsgSeqNum expected next from the peer."""
        self.restart_untold: bool = _begins(store)
        """Whether the numbers may have restarted in a process that died before its user knew."""
        self.broken: bool = False
        """Whether the store has failed."""
        self.ended_by: EndedBy | None = None
        """By which message the last session ended that ended by one, until a later one got beyond it."""
        self.marks: list[int] = []
        """For each event that was not handed out yet: how far the store may advance once all events before
        it are confirmed."""
        self.open: OpenRequests = OpenRequests()
        """Requests without an answer, and not named yet as such that will have none."""
        self.next_key: int = 1
        """The key of the next request."""
        self.handed: deque[int] = deque()
        """The marks of the events that were handed out and are not confirmed."""
        self._confirmed = 0
        """How many events have been confirmed since the ledger was opened: the running number of the oldest
        one that is not."""
        self._counting = True
        """Whether the peer's numbers are those that the store counts; they are not while it is asked for a
        reset."""
        self._held_at = VOID
        """The number beyond which the store must not advance for now; see `suspect`."""
        self._suspect_before = 0
        """Requests with a number below it may have no answer any more, unless they were sent again since."""
        self._lost_before = 0
        """Requests with a number below it may have none even if they were."""
        self._settling: deque[tuple[int, Sequence[int], int]] = deque()
        """Keys of requests to be settled and the bytes of these, each after the event of this running
        number."""
        self.settling: int = 0
        self.settling_bytes: int = 0
        """How many these are, and the bytes of all their messages, which the store still has."""
        self._sent_again: dict[int, int] = {}
        """By key, for open requests that the peer asked for again: which number was next when it got them."""
        self._loaded = False
        """Whether the store's requests have been taken up."""
        self.unsaved: bool = False
        """Whether something was recorded that must be durable before anything else leaves."""
        self._stale = False
        """Whether something was recorded that can wait for the next commit: what was confirmed. If it is lost
        in a crash, a few messages come again, so it is not worth a wait for the disk of its own."""

    # What the user has taken care of

    @property
    def mark(self) -> int:
        """How far the store may advance once everything told so far is confirmed."""
        return self._held_at or self.expected

    def confirm(self, count: int | None) -> None:
        """The user has taken care of the oldest `count` events that were handed out, or of all of them."""
        handed = self.handed
        if count is None:
            count = len(handed)
        if count:
            self._confirmed += count
            if count == len(handed):
                handed.clear()
            else:
                for _ in range(count):
                    handed.popleft()
            # Settled before the number moves on: a crash may leave any first part of what was recorded. With
            # the number alone, the answer would not come again, and its request would stay open for ever.
            if self._settling:
                self._settle_confirmed()
        self.advance()

    def advance(self) -> None:
        """Let the store follow as far as the oldest event that is not confirmed allows."""
        if not self._counting or self.broken:
            return
        # The first mark is enough: marks never go down, but for those made void.
        if self.handed:
            reached = self.handed[0]
        else:
            reached = self.marks[0] if self.marks else self._held_at or self.expected
        if reached > self.store.next_incoming:
            self.store.advance_incoming(reached)
            self._stale = True

    def _settle_confirmed(self) -> None:
        """Settle what confirmed events answered."""
        settling = self._settling
        settled: list[int] = []
        # Running numbers begin at 0: event n is confirmed once n + 1 events are.
        while settling and settling[0][0] < self._confirmed:
            _, keys, size = settling.popleft()
            settled.extend(keys)
            self.settling_bytes -= size
        self.settling -= len(settled)
        if settled and not self.broken:
            self.store.settle_requests(settled)
            self._stale = True

    # What is recorded

    def take_number(
        self, seq_num: int, message: StoredMessage | None, request: OpenRequest | None, names: Names
    ) -> None:
        """Take a number for a message about to leave, which may be a request with names."""
        if self.broken:
            raise StoreError(FAILED_BEFORE)
        self.unsaved = True
        store = self.store
        store.record_sent(seq_num, message)
        if request is not None:
            self.next_key = request.key + 1
            # This process tells two orders of one ClOrdID apart by their OrderIDs; those are not stored. A
            # later process could take a report about the first for the answer to this one, so it names this
            # one.
            repeated = self.open.is_repeated(request.msg_type, names)
            store.record_request(attrs.evolve(request, uncertain=True) if repeated else request)
            self.open.add(request, names)

    def reset(self, *, unanswered: bool) -> None:
        """Restart both directions at 1. While the peer has still to agree, what comes has the old numbers."""
        if self.broken:
            raise StoreError(FAILED_BEFORE)
        self.unsaved = True
        self.store.reset(unanswered=unanswered)
        self._void_marks()
        self._counting = not unanswered
        # Until the peer answers, what it sent before still comes under its old numbers. They go on being
        # expected, but must not reach the store, which already counts from 1.
        if not unanswered:
            self.expected = 1

    def reset_answered(self) -> None:
        """The peer has agreed: its next number is 1."""
        self.unsaved = True
        self.store.reset_answered()
        self._void_marks()
        self._counting = True
        self.expected = 1

    def use_store(self, store: MessageStore) -> None:
        """Go on with the numbers and messages of another store."""
        if store is self.store:
            return  # `expected` is ahead of what the store knows, and stays so
        self.store = store
        self.expected = store.next_incoming
        self.restart_untold = _begins(store)
        self.broken = False
        self._counting = True
        self.unsaved = self._stale = False
        self._void_marks()

    def save(self, *, leaving: bool) -> None:
        """Commit what must be durable; with `leaving`, when bytes are about to leave, everything."""
        if self.unsaved or (leaving and self._stale):
            if self.broken:
                raise StoreError(FAILED_BEFORE)
            self.store.commit()
            self.unsaved = self._stale = False

    def _void_marks(self) -> None:
        """Take their numbers from the events that wait. The events themselves stay: `confirm` counts them,
        and requests are settled with them."""
        self._held_at, self._lost_before = VOID, 0
        self.marks[:] = [VOID] * len(self.marks)
        self.handed = deque([VOID] * len(self.handed))

    def note_end(self, ended_by: EndedBy | None) -> None:
        """A session has ended, by one message or otherwise.

        A connection that merely broke says nothing about that message, so the note stays until one gets
        beyond its number.
        """
        if ended_by is not None:
            self.ended_by = ended_by
        elif self.ended_by is not None and self.expected > self.ended_by[0]:
            self.ended_by = None

    # What was asked of the peer

    def load_requests(self, names_of: Callable[[OpenRequest], Names]) -> Sequence[OpenRequest]:
        """Take up what the store has from before the process started; return it the first time."""
        if self._loaded:
            return ()
        self._loaded = True
        found = self.store.open_requests()
        for request in found:
            self.open.add(request, names_of(request))
            self.next_key = max(self.next_key, request.key + 1)
        return found

    def frame_of(self, seq_num: int) -> bytes | None:
        """Return the open request that was sent under this number, as it stood on the wire."""
        request = self.open.numbered(seq_num)
        return None if request is None else request.frame

    def sent_again(self, seq_num: int) -> None:
        """The peer got the message of this number only now, so its answer is still to come."""
        request = self.open.numbered(seq_num)
        if request is not None:
            self._sent_again[request.key] = self.store.next_outgoing

    def answered(self, requests: Iterable[OpenRequest]) -> None:
        """The event that is told next settles these requests, once it is confirmed.

        They stay in the store until then: if the process dies first, the next one has them still open, and
        the answer comes again. So nothing may be told between this and the event itself.
        """
        keys = []
        size = self.open.size
        for request in requests:
            keys.append(request.key)
            self.open.remove(request)
            if self._sent_again:
                self._sent_again.pop(request.key, None)
        size -= self.open.size
        self.settling += len(keys)
        self.settling_bytes += size
        self._settling.append((self._confirmed + len(self.handed) + len(self.marks), keys, size))

    def suspect(self, sent_before: int, *, lost: bool) -> None:
        """The peer will not send what it sent under the number expected next, and that may have answered a
        request with a number below `sent_before`.

        Unless messages are `lost`, that can only have been Rejects, and nobody asks again for what was
        rejected. Otherwise the peer may have answered a request, and lost count of it afterwards.

        Until `release` says which have no answer after all that is still to come, the store stays where it
        is: after a crash the same is found again.
        """
        oldest = next(iter(self.open.by_key.values()), None)
        if oldest is not None and oldest.seq_num < sent_before:
            self._held_at = self.mark  # which is where the first loss holds it, if there was one before
            self._suspect_before = sent_before
            if lost:
                self._lost_before = sent_before

    def release(self) -> list[OpenRequest]:
        """Return the suspected requests that have no answer now that everything has come."""
        if not self._held_at:
            return []
        # What the peer got again after the loss was found, it can only have answered since, unless it had
        # answered before and lost that answer with its messages.
        lost_before, self._lost_before = self._lost_before, 0
        self._held_at = VOID
        again, suspected = self._sent_again, self._suspect_before
        return [
            request
            for request in self.open.by_key.values()
            if request.seq_num < lost_before or again.get(request.key, request.seq_num) < suspected
        ]

    def doubt(self, requests: Iterable[OpenRequest]) -> None:
        """Record that no answer is to be waited for, before anything else leaves."""
        self.unsaved = True
        for request in requests:
            self.store.record_request(attrs.evolve(request, uncertain=True))


def _begins(store: MessageStore) -> bool:
    """Say whether nothing of the peer's was taken care of since the numbers began, not even its Logon."""
    return store.next_incoming == 1 < store.next_outgoing
