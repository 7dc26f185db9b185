"""Quiet work: compiling decoders and collecting garbage at times when neither delays a message.

A quiet moment begins when no bytes have been received for a few milliseconds. A decoder reads the messages of
one shape, that is, with the same sequence of tags. Decoders for known shapes are compiled at the logon, and
decoders for new shapes in quiet moments. A file keeps a sample message of each known shape for the next
process.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.layout import Sender
from kalshi_fix_sansio.framing import is_frame
from kalshi_fix_sansio.session import Session

QUIET_SECONDS = 0.02
"""Seconds without received bytes after which a quiet moment begins. A decoder takes 2 to 5 ms to compile."""
PATIENCE_SECONDS = 1.0
"""Seconds without a quiet moment after which `SHORT_QUIET_SECONDS` is used instead of `QUIET_SECONDS`."""
SHORT_QUIET_SECONDS = 0.002
"""Seconds without received bytes after which a quiet moment begins when `PATIENCE_SECONDS` has passed."""
MAX_SHAPES = 64
"""Maximum number of shapes in a file. Beyond it, the oldest are dropped."""
MAX_BYTES = MAX_SHAPES * 32 * 1024
"""Maximum size of a file of shapes, in bytes. A shape is stored as a sample message, which takes less than
twice the size of the message from which it was learned.
"""
ALLOCATIONS_TO_COLLECT = 5_000
"""Number of new objects after which garbage is collected in a quiet moment."""
MAX_ALLOCATIONS = 1_000_000
"""Number of new objects after which Python collects garbage without waiting for a quiet moment."""

_log = logging.getLogger(__name__)
_freezing_clients: set[int] = set()
"""The ids (`id`) of the clients with the option `freeze` that have logged on. The option limits garbage
collection to quiet moments.
"""
_thresholds: list[tuple[int, int, int]] = []
"""The thresholds of Python's garbage collector before the first client with the option `freeze` logged on."""


class QuietWork:
    """The quiet work of one client."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self._plan = plan
        self.freeze: bool = plan.freeze
        """Whether quiet moments are also used for garbage collection (option `freeze`)."""
        self._is_frozen = False
        """Whether `gc.freeze` has been called since the logon of this connection."""
        self.codec: Codec = plan.config.codec.with_deferred_compilation()
        """The codec of the client's sessions. While it has `deferred` shapes, they must be compiled in a
        quiet moment.
        """
        self._due_since: float | None = None
        """Monotonic time since which there has been work for a quiet moment; None if there is none."""
        self._path: Path | None = None
        self._known_shapes: list[bytes] = []
        """The shapes in the file."""
        self._frames: Iterator[bytes] = iter(())

    def begin(self, store: Path | None) -> None:
        """Read the shapes to prepare, from the plan's file or the file next to the store; if there are none,
        use the spec's examples.
        """
        next_to_store = None if store is None else store.with_name(f"{store.name}.shapes")
        self._path = self._plan.shapes or next_to_store
        self._known_shapes = [] if self._path is None else read_shapes(self._path)
        self._frames = iter(self._known_shapes or self._examples())

    def prepare(self, session: Session) -> bool:
        """Compile one more check or decoder before the answer to the Logon is read; return False if none is
        left.
        """
        return session.prepare(self._frames)

    def logged_on(self) -> None:
        """If the option `freeze` is set, collect garbage only in quiet moments until `close`."""
        if self.freeze:
            self._is_frozen = False
            if not _freezing_clients:
                _thresholds[:] = [gc.get_threshold()]
                gc.set_threshold(MAX_ALLOCATIONS)
            _freezing_clients.add(id(self))

    def close(self) -> None:
        """Let Python collect garbage automatically again, unless another client needs `freeze`."""
        if id(self) in _freezing_clients:
            _freezing_clients.discard(id(self))
            if not _freezing_clients:
                gc.set_threshold(*_thresholds.pop())
                gc.unfreeze()

    def next_moment(self, now: float) -> float:
        """Return the monotonic time at which the next quiet moment begins if no more bytes are received."""
        if self._due_since is None:
            self._due_since = now
        return now + (QUIET_SECONDS if now < self._due_since + PATIENCE_SECONDS else SHORT_QUIET_SECONDS)

    def work(self, session: Session) -> bool:
        """Do one unit of work, unless a request is unanswered or the session is not established; return
        whether to call this again at once.
        """
        if session.open_requests or not session.is_established:
            return False
        self._due_since = None
        if session.prepare():
            if not self.codec.deferred:
                self._save_shapes()
            return True
        if self.freeze and (not self._is_frozen or gc.get_count()[0] >= ALLOCATIONS_TO_COLLECT):
            # Objects frozen at an earlier logon may have become garbage since, so unfreeze them first.
            if not self._is_frozen:
                gc.unfreeze()
            self._is_frozen = True
            gc.collect()
            gc.freeze()
        return False

    def _save_shapes(self) -> None:
        shapes = list(dict.fromkeys((*self._known_shapes, *self.codec.shapes)))[-MAX_SHAPES:]
        if self._path is None or shapes == self._known_shapes:
            return
        self._known_shapes = shapes
        try:
            write_shapes(self._path, shapes)
        except OSError as error:
            _log.warning("the shapes in %s cannot be written (%s)", self._path, error.strerror)

    def _examples(self) -> Iterator[bytes]:
        """Yield the spec's examples of the application messages that the venue sends on the session type."""
        # Imported here, because the import is slow and rarely needed.
        from importlib.resources import files

        config = self._plan.config
        for line in (files("kalshi_fix_sansio") / "dictionaries" / "examples.log").read_bytes().splitlines():
            frame = line[line.index(b"8=") :].replace(b"|", b"\x01")
            layout = config.dialect.messages.get(frame.split(b"\x01", 3)[2][3:].decode())
            if (
                b" <- " in line
                and layout is not None
                and not layout.admin
                and layout.allowed(config.product, config.session_type.name, Sender.VENUE)
            ):
                yield frame


def read_shapes(path: Path) -> list[bytes]:
    """Return the messages in a file of shapes; none if it is missing, damaged or unreadable. Damage and read
    errors are logged.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        _log.warning("the shapes in %s cannot be read (%s)", path, error.strerror)
        return []
    frames = [line.replace(b"|", b"\x01") for line in data.splitlines()]
    if len(data) > MAX_BYTES or len(frames) > MAX_SHAPES or not all(map(is_frame, frames)):
        _log.warning("the file of shapes %s is damaged and is ignored", path)
        return []
    return frames


def write_shapes(path: Path, frames: Iterable[bytes]) -> None:
    """Replace a file of shapes, with one message per line; raise OSError if it cannot be written."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(b"".join(frame.replace(b"\x01", b"|") + b"\n" for frame in frames))
    new.replace(path)
