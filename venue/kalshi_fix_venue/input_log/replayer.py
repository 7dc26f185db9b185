"""Replay an input log: repeat its calls on a new venue, and compare bytes, states and errors."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.signing import Verifier
from kalshi_fix_venue.input_log.digest import digest_of, state_digest
from kalshi_fix_venue.input_log.log import INPUTS, VERSION, random_of
from kalshi_fix_venue.input_log.values import UnknownValueError, load_arguments, load_config
from kalshi_fix_venue.venue import VenueModel

MAX_LINE: Final = 64 * 1024 * 1024
"""Maximum length of one line of an input log, in bytes."""
_CALLS: Final = frozenset((*INPUTS, "data_to_send"))


class InputLogError(ConfigurationError):
    """A file cannot be replayed: it is not a readable input log, or one of a different version."""


@attrs.define(kw_only=True)
class ReplayResult:
    """The result of a replay."""

    venue: VenueModel | None = None
    """The venue after the last call; None if the log contains no venue."""
    entries: int = 0
    """Number of calls that were repeated."""
    sent: int = 0
    """Number of bytes that the venue sent; all of them match the log."""
    states: int = 0
    """Number of digests of the state that were compared."""
    difference: str | None = None
    """The first difference between the replay and the log, with its line; None if they agree."""
    incomplete_end: str | None = None
    """A description of the log's incomplete end; None if the log is complete."""

    @property
    def matches_log(self) -> bool:
        """Whether the replay matched the log throughout."""
        return self.difference is None


class _DifferenceError(Exception):
    """The venue's behaviour differs from the log."""


class _Verdicts(Verifier):
    """A verifier that replaces all public keys, and returns the verdicts recorded in the log."""

    __slots__ = ("remaining",)

    def __init__(self) -> None:
        self.remaining: deque[bool] = deque()

    def __call__(self, payload: bytes, raw_data: bytes) -> bool:  # noqa: ARG002 the log has the verdict
        if not self.remaining:
            raise _DifferenceError("checks a signature that it did not check when the log was written")
        return self.remaining.popleft()


@attrs.define
class _Step:
    """A line of the log with the results of its call."""

    line: int
    values: dict[str, Any]
    verdicts: list[bool] = attrs.field(factory=list)
    raised: str | None = None
    is_last: bool = False


def replay(path: Path) -> ReplayResult:
    """Replay an input log.

    Raises:
        InputLogError: the file is a pipe, cannot be read, is not an input log, is damaged, or was written by
            a release whose logs this one cannot replay.
    """
    if path.is_fifo():
        raise InputLogError(f"{path} is a pipe, and a replay reads its input log twice; save it to a file")
    return _Replay(path).run()


class _Replay:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._result = ReplayResult()
        self._verdicts = _Verdicts()
        # Bytes that were logged after their call, by the line of the call.
        self._late_data = {
            int(values["of"]): str(values["data"]) for _, values in self._lines() if "of" in values
        }

    def run(self) -> ReplayResult:
        step, result = None, self._result
        try:
            for step in self._steps():
                self._replay_step(step)
        except _DifferenceError as error:
            result.difference = f"{self._path}:{step.line if step else 0}: the venue {error}"
        if step is None and result.incomplete_end is None:
            raise self._not_a_log()
        return result

    # The file

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the complete lines; if the last one is incomplete, set `incomplete_end`."""
        try:
            with self._path.open("rb") as file:
                number = 0
                while data := file.readline(MAX_LINE + 1):
                    number += 1
                    values = _parse(data)
                    if values is None and file.readline(1):
                        raise InputLogError(
                            f"{self._path}:{number} is not a line of an input log; "
                            "replay the log exactly as it was written"
                        )
                    if values is None:
                        self._result.incomplete_end = (
                            f"{self._path}:{number}: the last line is incomplete and was skipped"
                        )
                        return
                    yield number, values
        except OSError as error:
            raise InputLogError(f"the input log {self._path} cannot be read ({error.strerror})") from None

    def _steps(self) -> Iterator[_Step]:
        """Yield the entries to repeat or compare, each with the results on the lines after it."""
        step = None
        for line, values in self._lines():
            if step is not None and "verdict" in values:
                step.verdicts.append(bool(values["verdict"]))
            elif step is not None and "raised" in values:
                step.raised = str(values["raised"])
            elif "of" not in values:
                if step is not None:
                    yield step
                step = _Step(line, values)
        if step is not None:
            step.is_last = True
            yield step

    def _not_a_log(self) -> InputLogError:
        return InputLogError(f"{self._path} is not a venue's input log: it does not begin with settings")

    # The venue

    def _replay_step(self, step: _Step) -> None:
        if "input_log" in step.values:
            self._result.venue = self._open_venue(step.values)
        elif self._result.venue is None:
            raise self._not_a_log()
        elif "do" in step.values:
            self._perform(self._result.venue, step)
        elif "state" in step.values:
            digest = state_digest(self._result.venue)
            if digest != step.values["state"]:
                raise _DifferenceError(
                    f"is in a different state: digest {digest}, not {step.values['state']}"
                )
            self._result.states += 1

    def _open_venue(self, values: dict[str, Any]) -> VenueModel:
        if values["input_log"] != VERSION:
            raise InputLogError(
                f"{self._path} is an input log of version {values['input_log']}, "
                f"but this release replays version {VERSION}; use the release that wrote it"
            )
        self._verdicts = _Verdicts()
        try:
            return VenueModel(load_config(values["config"], self._verdicts), random_of(values["random"]))
        except (UnknownValueError, KeyError, TypeError, ValueError) as error:
            raise InputLogError(
                f"{self._path} contains settings that this release does not know ({error}); "
                "use the release that wrote it"
            ) from None

    def _perform(self, venue: VenueModel, step: _Step) -> None:
        name, args = step.values["do"], step.values.get("args", {})
        if name not in _CALLS:
            raise InputLogError(f"{self._path}:{step.line}: {name!r} is not a call to a venue")
        if name == "receive_data" and "data" not in args:
            if step.line not in self._late_data and (step.is_last or self._result.incomplete_end is not None):
                self._result.incomplete_end = (
                    f"{self._path}:{step.line}: the message that begins here is incomplete"
                )
                return
            # Bytes that were never logged did not complete a message, so the venue did not act on them.
            args["data"] = self._late_data.get(step.line, "")
        try:
            arguments = load_arguments(name, args)
        except UnknownValueError as error:
            raise InputLogError(f"{self._path}:{step.line}: {error}") from None
        self._verdicts.remaining = deque(step.verdicts)
        self._result.entries += 1
        result: Any = None
        raised: Exception | None = None
        try:
            result = getattr(venue, name)(**arguments)
        except _DifferenceError:
            # The log was cut off before the line with the verdict.
            if not step.is_last:
                raise
            self._result.incomplete_end = (
                f"{self._path}:{step.line}: the results of the last call were not written"
            )
            return
        except Exception as error:  # noqa: BLE001 - it is compared with the logged exception
            raised = error
            if step.is_last and step.raised is None:
                return
        venue.connections_with_output()  # as after each call when the log was written
        if raised is not None and type(raised).__name__ != step.raised:
            raise _DifferenceError(f"raises {type(raised).__name__}: {raised}")
        if raised is None and step.raised is not None:
            raise _DifferenceError(f"does not raise {step.raised}")
        if raised is None and name == "data_to_send":
            self._compare_sent(result, *step.values["sent"])

    def _compare_sent(self, data: bytes, size: int, digest: str) -> None:
        if len(data) != size:
            raise _DifferenceError(f"sends {len(data)} bytes, not {size}")
        if digest_of(data) != digest:
            raise _DifferenceError(f"sends {size} different bytes: digest {digest_of(data)}, not {digest}")
        self._result.sent += size


def _parse(data: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(data) if data.endswith(b"\n") else None
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
