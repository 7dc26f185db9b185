"""Write an input log: each call to a venue before it is executed, then its results.

The lines are JSON objects, each written to the file at once, so if the process is killed, every line except
perhaps the last is complete. The log contains the verdict on each signature, but no signatures or private
keys.

| line | contains |
| --- | --- |
| `input_log` | version, settings and state of the random generator: a new venue begins |
| `do` | the name of a method, and its arguments |
| `verdict`, `raised` | a result of the last call |
| `of`, `data` | line number of a `receive_data` call, and its bytes, written once their message is complete |
| `state` | digest of the venue's state |
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Final, Self

import attrs

from kalshi_fix_adapters.observe.log_file import LogFile
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.signing import Verifier
from kalshi_fix_venue.config import VenueConfig
from kalshi_fix_venue.input_log.digest import digest_of, state_digest
from kalshi_fix_venue.input_log.secrets import RedactionBuffer
from kalshi_fix_venue.input_log.values import dump_arguments, dump_config
from kalshi_fix_venue.venue import VenueModel

VERSION: Final = 2
MAX_BYTES: Final = 4 * 1024**3
"""Size at which an input log ends."""
STATE_INTERVAL: Final = 1000
"""Number of calls between two digests of the state."""
INPUTS: Final = (
    *("begin", "connection_made", "receive_data", "receive_eof", "handle_timer"),
    *("pause_reading", "resume_reading", "execute", "perform", "pause", "resume", "inject", "release"),
    *("log_out", "new_id"),
)
"""Methods of `VenueModel` that change a venue."""

_log = logging.getLogger("kalshi_fix_venue")


class InputLog:
    """A new file that records the calls to venues; only its owner may read it."""

    def __init__(
        self, path: Path, *, max_bytes: int = MAX_BYTES, state_interval: int = STATE_INTERVAL
    ) -> None:
        """Create the file.

        Raises:
            ConfigurationError: a file exists at this path, or it cannot be written.
        """
        self.path = path
        self.end_reason: str | None = None
        """Why logging has ended: the file cannot be written, has reached its maximum size, or is closed. None
        while logging continues.
        """
        self.state_interval = state_interval
        self.lines: int = 0
        """Number of lines in the file."""
        self._max_bytes = max_bytes
        self._venue: LoggedVenue | None = None
        try:
            path.touch(0o600, exist_ok=False)
            self._file = LogFile(path, max_bytes, backups=0)
        except OSError as error:
            raise ConfigurationError(
                f"the input log {path} cannot be written ({error.strerror}); choose another path"
            ) from None

    def open_venue(self, config: VenueConfig, random: Random) -> LoggedVenue:
        """Open a venue that replaces the previous one, and log the calls to it from now on. If `random`
        is the system's generator, whose state cannot be logged, it only seeds a new generator.
        """
        self._finish()
        if isinstance(random, SystemRandom):
            random = Random(random.getrandbits(64))  # noqa: S311 - nothing secret is drawn from it
        self._venue = LoggedVenue(config, random, self)
        return self._venue

    def write_line(self, **values: Any) -> None:
        """Write a line. A file system error is logged once and never raised."""
        if self.end_reason is not None:
            return
        data = json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            if self._file.exceeds_limit(len(data)):
                self._end(f"has reached its maximum size ({self._max_bytes} bytes)")
                return
            self._file.append(data)
            self.lines += 1
        except OSError as error:
            self._end(f"cannot be written ({error.strerror})")

    def close(self) -> None:
        """Write the last state, and close the file. Closing again does nothing."""
        self._finish()
        self.end_reason = self.end_reason or "is closed"
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _finish(self) -> None:
        if self._venue is not None:
            self._venue.finish()
            self._venue = None

    def _end(self, reason: str) -> None:
        self.end_reason = reason
        _log.warning("the input log %s %s; the venue continues without it", self.path, reason)


class _LoggedVerifier(Verifier):
    """A public key whose verdicts are logged."""

    __slots__ = ("_input_log", "_verifier")

    def __init__(self, verifier: Verifier, input_log: InputLog) -> None:
        self._verifier = verifier
        self._input_log = input_log

    def __call__(self, payload: bytes, raw_data: bytes) -> bool:
        verdict = self._verifier(payload, raw_data)
        self._input_log.write_line(verdict=verdict)
        return verdict


def random_of(state: Sequence[Any]) -> Random:
    """Return a random generator that continues from a state.

    Raises:
        TypeError, ValueError: the state is not valid.
    """
    version, numbers, gauss = state
    random = Random()  # noqa: S311 - nothing secret is drawn from it
    random.setstate((version, tuple(numbers), gauss))
    return random


class LoggedVenue(VenueModel):
    """A venue whose calls are logged; otherwise it behaves like `VenueModel`."""

    def __init__(self, config: VenueConfig, random: Random, input_log: InputLog) -> None:
        """Open the venue and begin its part of the log.

        Raises:
            ConfigurationError: the settings contain a value that cannot be logged.
        """
        self._input_log = input_log
        self._calls = 0
        self._is_executing = False
        """Whether a call is being executed: nested calls are not logged."""
        self._redaction_buffers: dict[int, RedactionBuffer] = {}
        keys = tuple(
            attrs.evolve(key, public_key=_LoggedVerifier(key.public_key, input_log))
            for key in config.api_keys
        )
        input_log.write_line(input_log=VERSION, random=random.getstate(), config=dump_config(config))
        super().__init__(attrs.evolve(config, api_keys=keys), random)

    @property
    def input_log_path(self) -> Path | None:
        """The path of the log file; None once logging has ended."""
        return self._input_log.path if self._input_log.end_reason is None else None

    @contextlib.contextmanager
    def _log_call(self, name: str, arguments: Mapping[str, Any]) -> Iterator[None]:
        """Log a call, and the exception that it raises."""
        if self._is_executing:
            yield
            return
        self._is_executing = True
        self._calls += 1
        self._input_log.write_line(do=name, args=dump_arguments(name, arguments))
        try:
            yield
        except BaseException as error:
            self._input_log.write_line(raised=type(error).__name__)
            raise
        finally:
            self._is_executing = False
            self._collect_output()
        if self._calls % self._input_log.state_interval == 0:
            self._input_log.write_line(state=state_digest(self))

    def _collect_output(self) -> None:
        """Fetch the output of the sessions after each call, as a replay does, so the result does not depend
        on when the caller fetches it."""
        self.connections_with_output()

    def finish(self) -> None:
        """Write the remaining bytes, and the last state."""
        for redaction_buffer in self._redaction_buffers.values():
            self._release(redaction_buffer, everything=True)
        self._input_log.write_line(state=state_digest(self))

    def _release(self, redaction_buffer: RedactionBuffer, *, everything: bool = False) -> None:
        for line, data in redaction_buffer.release(everything=everything):
            self._input_log.write_line(data=data.decode("latin-1"), of=line)

    def receive_data(self, conn: int, data: bytes, now: Instant) -> None:
        """Pass bytes to the venue; bytes that may be secret are logged once their message is complete."""
        redaction_buffer = self._redaction_buffers.setdefault(conn, RedactionBuffer())
        arguments = {"conn": conn, "now": now}
        if redaction_buffer.add(self._input_log.lines + 1, data):
            arguments["data"] = data
        with self._log_call("receive_data", arguments):
            self._release(redaction_buffer)
            super().receive_data(conn, data, now)

    def receive_eof(self, conn: int, now: Instant) -> None:
        """Call the method of `VenueModel`, and log the call."""
        self._release(self._redaction_buffers.pop(conn, RedactionBuffer()), everything=True)
        with self._log_call("receive_eof", {"conn": conn, "now": now}):
            super().receive_eof(conn, now)

    def data_to_send(self, conn: int) -> bytes:
        """Call the method of `VenueModel`, and log the call."""
        data = super().data_to_send(conn)
        if data:
            self._input_log.write_line(
                do="data_to_send", args={"conn": conn}, sent=[len(data), digest_of(data)]
            )
            self._collect_output()
        return data


def _with_logging(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method whose calls are logged."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def logged(*args: Any, **kwargs: Any) -> Any:
        arguments = signature.bind(*args, **kwargs).arguments
        with arguments.pop("self")._log_call(method.__name__, arguments):
            return method(*args, **kwargs)

    return logged


# The methods are set here rather than defined in the class, so type checkers use the signatures of
# `VenueModel`.
for _name in INPUTS:
    if _name not in vars(LoggedVenue):
        setattr(LoggedVenue, _name, _with_logging(getattr(VenueModel, _name)))
