"""Replays a journal: a venue of the same settings and seed gets the same calls, and must come to the same."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from kalshi_fix_adapters.venue.journal.digest import digest_of, state_digest
from kalshi_fix_adapters.venue.journal.record import VERSION, random_of
from kalshi_fix_adapters.venue.journal.values import UnknownValueError, from_plain, instant
from kalshi_fix_adapters.venue.venue import Venue
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.signing import Verifier

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of one line of a journal."""
_CALLS: Final = frozenset(
    (
        *("begin", "connection_made", "receive_data", "receive_eof", "look", "data_to_send", "handle_timer"),
        *("execute", "perform", "pause", "resume", "inject", "release", "log_out", "new_id"),
    )
)


class JournalError(ConfigurationError):
    """A file that is no journal, or one of another version."""


@attrs.frozen(kw_only=True)
class Replayed:
    """How far a replay went, and what it came to."""

    venue: Venue | None
    """As the last entry has left it; None if the journal holds none."""
    entries: int
    """Calls that were repeated."""
    sent: int
    """Bytes that the venue sent, all of them the same again."""
    states: int
    """Digests of the state that were compared."""
    parted: str | None = None
    """Where and how the replay came to something else; None if it never did."""
    torn: str | None = None
    """What is the matter with the end of the journal; None if it is whole."""

    @property
    def is_same(self) -> bool:
        """Whether everything that the journal tells came out again."""
        return self.parted is None


class _Verdicts(Verifier):
    """Stands for all public keys, and says what they said."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left: deque[bool] = deque()

    def __call__(self, payload: bytes, raw_data: bytes) -> bool:  # noqa: ARG002 it was judged before
        if not self.left:
            raise _PartedError("asks for a signature that was not checked")
        return self.left.popleft()


class _PartedError(Exception):
    """The venue does something else than it did."""


@attrs.define
class _Entry:
    """A call with what it came to."""

    line: int
    number: int
    values: dict[str, Any]
    data: str | None = None
    """Of a call whose bytes were written down later."""
    verdicts: list[bool] = attrs.field(factory=list)
    raised: str | None = None


def replay(path: Path) -> Replayed:
    """Replay a journal.

    Raises:
        JournalError: the file cannot be read, or is no journal.
    """
    return _Replay(path).run()


class _Replay:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn: str | None = None
        self._venue: Venue | None = None
        self._verdicts = _Verdicts()
        self._entries = self._sent = self._states = 0

    def run(self) -> Replayed:
        late = self._late_data()
        segment = 0
        entry: _Entry | None = None
        parted: str | None = None
        number = 0
        line = 0
        try:
            for line, values in self._lines():
                if "journal" in values:
                    self._perform(entry)
                    entry, number, segment = None, 0, segment + 1
                    self._open(values)
                elif "do" in values:
                    self._perform(entry)
                    number += 1
                    entry = _Entry(line, number, values, late.get((segment, number)))
                elif "verdict" in values and entry is not None:
                    entry.verdicts.append(bool(values["verdict"]))
                elif "raised" in values and entry is not None:
                    entry.raised = str(values["raised"])
                elif "state" in values:
                    self._perform(entry)
                    entry = None
                    self._compare_state(values)
            self._perform(entry, is_last=True)
        except _PartedError as error:
            at = line if entry is None else entry.line
            parted = f"{self._path}:{at}: the venue {error}"
        if segment == 0 and self._torn is None:
            raise JournalError(f"{self._path} is no journal of a venue: its first line says nothing of one")
        return Replayed(
            venue=self._venue,
            entries=self._entries,
            sent=self._sent,
            states=self._states,
            parted=parted,
            torn=self._torn,
        )

    # The file

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the lines that are whole; note if the last one is not."""
        try:
            with self._path.open("rb") as file:
                number = 0
                while data := file.readline(MAX_LINE + 1):
                    number += 1
                    values = _parse(data)
                    if values is None:
                        if file.readline(1):
                            raise JournalError(
                                f"{self._path}:{number} is no line of a journal; replay an unchanged one"
                            )
                        self._torn = f"{self._path}:{number}: the last line is torn off; it is left out"
                        return
                    yield number, values
        except OSError as error:
            raise JournalError(f"the journal {self._path} cannot be read ({error.strerror})") from None

    def _late_data(self) -> dict[tuple[int, int], str]:
        """Return the bytes that were written down after their call, by part of the journal and entry."""
        late: dict[tuple[int, int], str] = {}
        segment = 0
        for _, values in self._lines():
            segment += "journal" in values
            if "of" in values and isinstance(values.get("data"), str):
                late[segment, int(values["of"])] = values["data"]
        return late

    # The venue

    def _open(self, values: dict[str, Any]) -> None:
        if values["journal"] != VERSION:
            raise JournalError(
                f"{self._path} is a journal of version {values['journal']}, "
                f"and this release replays version {VERSION}; use the release that wrote it"
            )
        self._verdicts = _Verdicts()
        try:
            config = from_plain(values["config"], self._verdicts)
            self._venue = Venue(config, random_of(values["random"]))
        except (UnknownValueError, KeyError, AttributeError, TypeError, ValueError) as error:
            raise JournalError(
                f"{self._path} holds settings that this release does not know ({error}); "
                "use the release that wrote it"
            ) from None

    def _perform(self, entry: _Entry | None, *, is_last: bool = False) -> None:
        if entry is None or self._venue is None:
            return
        name, args = entry.values["do"], entry.values.get("args", [])
        if name not in _CALLS:
            raise JournalError(f"{self._path}:{entry.line}: {name!r} is no call of a venue")
        if name == "receive_data" and isinstance(args[1], int):
            if entry.data is None:
                if is_last or self._torn is not None:
                    self._torn = f"{self._path}:{entry.line}: the message that began here was never whole"
                    return
                # Nothing that the venue could have understood.
                entry.data = ""
            args = [args[0], {"$bytes": entry.data}]
        try:
            values = [from_plain(each) for each in args]
            if "at" in entry.values:
                values.append(instant(entry.values["at"]))
        except UnknownValueError as error:
            raise JournalError(f"{self._path}:{entry.line}: {error}") from None
        self._verdicts.left = deque(entry.verdicts)
        call: Any = self._venue.connections_with_output if name == "look" else getattr(self._venue, name)
        self._entries += 1
        try:
            result = call(*values)
        except _PartedError:
            # The line with the verdict is the one that was torn off.
            if is_last:
                self._torn = f"{self._path}:{entry.line}: what came of the last entry was not written down"
                return
            raise
        except Exception as error:  # noqa: BLE001 - it is compared with what was raised then
            if type(error).__name__ != entry.raised and not is_last:
                raise _PartedError(f"raises {type(error).__name__}: {error}") from None
            return
        if entry.raised is not None:
            raise _PartedError(f"raises no {entry.raised}")
        if name == "data_to_send":
            self._compare_sent(result, *entry.values["sent"])

    def _compare_sent(self, data: bytes, size: int, digest: str) -> None:
        if len(data) != size:
            raise _PartedError(f"sends {len(data)} bytes, not {size}")
        if digest_of(data) != digest:
            raise _PartedError(f"sends other {size} bytes: digest {digest_of(data)}, not {digest}")
        self._sent += size

    def _compare_state(self, values: dict[str, Any]) -> None:
        if self._venue is None:
            return
        found = state_digest(self._venue)
        if found != values["state"]:
            raise _PartedError(f"is in another state: digest {found}, not {values['state']}")
        self._states += 1


def _parse(data: bytes) -> dict[str, Any] | None:
    if not data.endswith(b"\n"):
        return None
    try:
        values = json.loads(data)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
