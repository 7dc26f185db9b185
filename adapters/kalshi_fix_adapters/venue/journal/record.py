"""Writes a journal: a line for everything that comes to a venue, before it is done, and for what came of it.

The lines are JSON objects, each written to the file at once, so that a process that is killed leaves all but
perhaps the last of them whole. Private keys never come here, and signatures are hidden: instead of one, its
verdict is written down.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, ParamSpec, Self, TypeVar

import attrs

from kalshi_fix_adapters.venue.config import VenueConfig
from kalshi_fix_adapters.venue.journal.digest import digest_of, state_digest
from kalshi_fix_adapters.venue.journal.secrets import Redaction
from kalshi_fix_adapters.venue.journal.values import to_plain
from kalshi_fix_adapters.venue.venue import Venue
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.signing import Verifier

VERSION: Final = 1
MAX_BYTES: Final = 4 * 1024**3
"""Size at which a journal ends."""
STATE_EVERY: Final = 1000
"""Entries after which the digest of the state is written down."""

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("kalshi_fix_adapters.venue")


class Journal:
    """A file that venues write to what comes to them. It is new, and its owner alone may read it."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, state_every: int = STATE_EVERY) -> None:
        """Make the file.

        Raises:
            ConfigurationError: there is something at this path, or it cannot be written.
        """
        self.path = path
        self.ended: str | None = None
        """Why nothing more is written: the disk is full, or the journal is as long as it may be."""
        self.state_every = state_every
        self._max_bytes = max_bytes
        self._written = 0
        self._venue: JournalledVenue | None = None
        try:
            self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"the journal {path} cannot be written ({error.strerror}); choose another path"
            ) from None

    def venue(self, config: VenueConfig, random: Random) -> JournalledVenue:
        """Open a venue that is journalled here from now on, in place of the one before."""
        self._finish()
        self._venue = JournalledVenue(config, random, self)
        return self._venue

    def line(self, **values: Any) -> None:
        """Write a line. What the file system says is told once and never raised."""
        if self._file is None or self.ended is not None:
            return
        data = json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"
        if self._written + len(data) > self._max_bytes:
            self._end(f"is as long as it may be ({self._max_bytes} bytes)")
            return
        try:
            while data:
                written = os.write(self._file, data)
                self._written += written
                data = data[written:]
        except OSError as error:
            self._end(f"cannot be written ({error.strerror})")

    def close(self) -> None:
        """Write the last state, and close the file. Closing again does nothing."""
        self._finish()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _finish(self) -> None:
        if self._venue is not None:
            self._venue.finish()
            self._venue = None

    def _end(self, why: str) -> None:
        self.ended = why
        _log.warning("the journal %s %s; the venue goes on without it", self.path, why)


class _RecordingVerifier(Verifier):
    """A public key whose verdicts are written down."""

    __slots__ = ("_journal", "_verifier")

    def __init__(self, verifier: Verifier, journal: Journal) -> None:
        self._verifier = verifier
        self._journal = journal

    def __call__(self, payload: bytes, raw_data: bytes) -> bool:
        verdict = self._verifier(payload, raw_data)
        self._journal.line(verdict=verdict)
        return verdict


RandomState = int | tuple[int, Sequence[int], float | None]
"""A seed, or the state of a `Random`."""


def _state(random: Random) -> RandomState:
    try:
        state: RandomState = random.getstate()
    except NotImplementedError:
        state = random.getrandbits(64)
    return state


def random_of(state: RandomState) -> Random:
    """Return what a journal begins with, as random as it was.

    Raises:
        TypeError, ValueError: this is no such state.
    """
    if isinstance(state, int):
        return Random(state)  # noqa: S311 - nothing secret is drawn from it
    version, numbers, gauss = state
    made = Random()  # noqa: S311 - nothing secret is drawn from it
    made.setstate((version, tuple(numbers), gauss))
    return made


def _written(method: Callable[P, R]) -> Callable[P, R]:
    """Return a method of a venue that is written down as an entry; its last argument is the time."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def written(*args: P.args, **kwargs: P.kwargs) -> R:
        venue, *given, now = signature.bind(*args, **kwargs).args
        with venue._entry(method.__name__, given, now):
            return method(*args, **kwargs)

    return written


def _looked_at(method: Callable[P, R]) -> Callable[P, R]:
    """Return a method of a venue that is written down as a look at what there is to say."""

    @functools.wraps(method)
    def looked_at(*args: P.args, **kwargs: P.kwargs) -> R:
        venue: Any = args[0]
        venue._look_entry()
        return method(*args, **kwargs)

    return looked_at


class JournalledVenue(Venue):
    """A venue that writes down what comes to it, and does what it would do without. Only where `random` has
    no state that can be written down, as that of the system, ids are drawn from a seed that it gives."""

    def __init__(self, config: VenueConfig, random: Random, journal: Journal) -> None:
        """Open the venue and begin its part of the journal.

        Raises:
            ConfigurationError: the settings hold what a journal has no form for.
        """
        self._journal = journal
        self._entries = self._stated = 0
        self._inside = False
        """Whether something is being done already: what it does in turn is not written down."""
        self._looked = False
        self._redactions: dict[int, Redaction] = {}
        state = _state(random)
        keys = tuple(
            attrs.evolve(key, public_key=_RecordingVerifier(key.public_key, journal))
            for key in config.api_keys
        )
        journal.line(journal=VERSION, random=state, config=to_plain(config))
        super().__init__(attrs.evolve(config, api_keys=keys), random_of(state))

    @property
    def journal_path(self) -> Path | None:
        """The file that what comes to it is written to; None once nothing more is."""
        return self._journal.path if self._journal.ended is None else None

    @contextlib.contextmanager
    def _entry(self, name: str, args: Sequence[Any], now: Instant | None = None) -> Iterator[None]:
        """Write down a call, and what it raises."""
        if self._inside:
            yield
            return
        self._inside, self._looked = True, False
        self._entries += 1
        at = {} if now is None else {"at": to_plain(now)}
        self._journal.line(do=name, **at, args=[to_plain(each) for each in args])
        try:
            yield
        except BaseException as error:
            self._journal.line(raised=type(error).__name__)
            raise
        finally:
            self._inside = False
        if self._entries - self._stated >= self._journal.state_every:
            self._write_state()

    def _look_entry(self) -> None:
        # Looking fetches from sessions what they have to say. Once is enough until something happens.
        if not self._inside and not self._looked:
            self._entries += 1
            self._journal.line(do="look")
            self._looked = True

    def _write_state(self) -> None:
        self._stated = self._entries
        self._journal.line(state=state_digest(self), entries=self._entries)

    def finish(self) -> None:
        """Write what is left to write."""
        for redaction in self._redactions.values():
            self._release(redaction, all_of_it=True)
        self._write_state()

    def _release(self, redaction: Redaction, *, all_of_it: bool = False) -> None:
        for number, data in redaction.release(all_of_it=all_of_it):
            self._journal.line(data=data.decode("latin-1"), of=number)

    # What comes, beside the methods that stand below the class

    def connection_made(self, product: str, session_type: str, now: Instant) -> int:
        """As `Venue` does."""
        with self._entry("connection_made", (product, session_type), now):
            number = super().connection_made(product, session_type, now)
        self._redactions[number] = Redaction()
        return number

    def receive_data(self, conn: int, data: bytes, now: Instant) -> None:
        """As `Venue` does. Bytes that may hold a secret are written down once the message is whole."""
        redaction = self._redactions.get(conn)
        if redaction is None or redaction.take(self._entries + 1, data):
            args: tuple[Any, ...] = (conn, data)
        else:
            args = (conn, len(data))
        with self._entry("receive_data", args, now):
            if redaction is not None:
                self._release(redaction)
            super().receive_data(conn, data, now)

    def receive_eof(self, conn: int, now: Instant) -> None:
        """As `Venue` does."""
        redaction = self._redactions.pop(conn, None)
        if redaction is not None:
            self._release(redaction, all_of_it=True)
        with self._entry("receive_eof", (conn,), now):
            super().receive_eof(conn, now)

    def data_to_send(self, conn: int) -> bytes:
        """As `Venue` does."""
        data = super().data_to_send(conn)
        if data:
            self._looked = False
            self._entries += 1
            self._journal.line(do="data_to_send", args=[conn], sent=[len(data), digest_of(data)])
        return data

    def new_id(self) -> str:
        """As `Venue` does."""
        with self._entry("new_id", ()):
            return super().new_id()


# Set here and not in the class: so they have the signatures of `Venue`, for type checkers too.
for _method in (
    Venue.begin,
    Venue.handle_timer,
    Venue.execute,
    Venue.perform,
    Venue.pause,
    Venue.resume,
    Venue.inject,
    Venue.release,
    Venue.log_out,
):
    setattr(JournalledVenue, _method.__name__, _written(_method))
for _look in (
    Venue.connections_with_output,
    Venue.connections_to_close,
    Venue.should_close,
    Venue.next_deadline,
):
    setattr(JournalledVenue, _look.__name__, _looked_at(_look))
