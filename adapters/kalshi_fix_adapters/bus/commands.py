"""Messages that other processes send through a session, and their answers.

A command is a message of the user in its wire format with a deadline. It is answered once: it was sent, it
was refused and not sent, or its outcome is unknown. Commands are never stored, and never sent again without
the user.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import attrs

from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError
from kalshi_fix_sansio import DIALECT, Header
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import DecodeError, KalshiFixError, LocalProtocolError, SendFailedError
from kalshi_fix_sansio.messages import decode, encode

MAX_WITHIN: Final = 30.0
"""Seconds that a command may wait for its answer."""
MAX_WAITING: Final = 1_000
"""Commands that a session process works on at the same time."""
_HEADER: Final = Header(
    sender_comp_id="-", target_comp_id="-", msg_seq_num=1, sending_time=datetime(2000, 1, 1, tzinfo=UTC)
)


@attrs.frozen
class Sent:
    """The session has taken a MsgSeqNum for the message, and sends it once.

    Attributes:
        number: Its MsgSeqNum.
        known: Whether an earlier command with the same id took it. If its process died meanwhile, the
            session's event OutcomesUnknown lists the request.
    """

    number: int
    known: bool = False


@attrs.frozen
class Refused:
    """The message was not sent, and will not be.

    Attributes:
        reason: The reason, for humans.
    """

    reason: str


@attrs.frozen
class Unknown:
    """The message may have been sent, or may still be: until its deadline on the session's clock, or once the
    store has committed it, which takes `commit_timeout` at most.

    The same message with the same ClOrdID may be sent again: it is sent once in all. Otherwise look it up in
    the events of the session.

    Attributes:
        reason: The reason, for humans.
    """

    reason: str


Answer = Sent | Refused | Unknown


@attrs.frozen
class Refusal:
    """The answer of a check that refuses a message.

    Attributes:
        reason: The reason, for humans.
    """

    reason: str


Check = Callable[[Message], Refusal | None]
"""Called for each new message before it is sent; None allows it."""


class Sender(Protocol):
    """An asyncio client whose store keeps the ids of sent requests."""

    async def send(self, message: Message, *, timeout: float | None = 10.0) -> int:  # noqa: ASYNC109
        """Send a message, and return its MsgSeqNum."""

    def sent_request(self, request_id: str) -> Any:
        """Return the last request sent with this id; None if there was none."""


def encode_command(message: Message) -> bytes:
    """Return the payload of a command.

    Raises:
        LocalProtocolError: the message cannot be encoded.
    """
    return encode(message, _HEADER)


def encode_answer(answer: Answer) -> bytes:
    """Return the payload of an answer."""
    return json.dumps({type(answer).__name__: attrs.asdict(answer)}).encode()


def decode_answer(data: bytes) -> Answer:
    """Return the answer; Unknown if it cannot be read."""
    try:
        match json.loads(data):
            case {"Sent": {"number": int(number), "known": bool(known)}}:
                return Sent(number, known)
            case {"Refused": {"reason": str(reason)}}:
                return Refused(reason)
            case {"Unknown": {"reason": str(reason)}}:
                return Unknown(reason)
    except (ValueError, RecursionError):
        pass
    return Unknown("the answer of the session process cannot be read")


def request_id(message: Message) -> str | None:
    """Return the ClOrdID or other id of a request; None if it has none."""
    layout = DIALECT.messages.get(message.msg_type)
    names = () if layout is None else layout.request
    for name in names:
        found = getattr(message, name, None)
        if isinstance(found, str):
            return found
    return None


class Commands:
    """Sends the messages of commands by a client, each once.

    Attributes:
        waiting: Commands that are not answered yet.
        sent: Messages sent.
        known: Commands whose message had been sent before.
        refused: Commands refused.
    """

    def __init__(
        self,
        client: Sender,
        check: Check | None,
        clock: Callable[[], float],
        *,
        clock_difference: float = 0.5,
    ) -> None:
        """Prepare.

        Args:
            client: the client.
            check: called for each new message.
            clock: returns the seconds since 1970.
            clock_difference: seconds by which the clock of a process that sends commands may be ahead.
        """
        self._client, self._check, self._clock = client, check, clock
        self._clock_difference = clock_difference
        self._sending: set[asyncio.Task[Answer]] = set()
        """The messages that are being sent, perhaps beyond the deadline of their command."""
        self._begun: dict[str, asyncio.Task[Answer]] = {}
        """Those with an id."""
        self.waiting: int = 0
        self.sent: int = 0
        self.known: int = 0
        self.refused: int = 0

    async def answer(self, data: bytes, deadline: float, msg_type: str | None = None) -> Answer:
        """Send the message of a command unless it was sent before; return the answer.

        Args:
            data: the payload.
            deadline: seconds since 1970 after which the message must not be sent.
            msg_type: the MsgType of the subject, which permissions are about; another one is refused.

        Raises:
            StoreError: the store cannot tell whether the message was sent before.
        """
        if max(self.waiting, len(self._sending)) >= MAX_WAITING:
            self.refused += 1
            return Refused(f"{MAX_WAITING} commands are waiting already")
        self.waiting += 1
        try:
            found = await self._answer(data, deadline, msg_type)
        finally:
            self.waiting -= 1
        if isinstance(found, Refused):
            self.refused += 1
        elif isinstance(found, Sent):
            self.sent += not found.known
            self.known += found.known
        return found

    async def _answer(self, data: bytes, deadline: float, msg_type: str | None) -> Answer:
        try:
            message = decode(data)
        except DecodeError as error:
            return Refused(f"not a message: {error}")
        if msg_type is not None and message.msg_type != msg_type:
            return Refused(f"a message of type {message.msg_type} with the subject of type {msg_type}")
        name = request_id(message)
        if name is None:
            return await self._send(message, None, deadline)
        while (begun := self._begun.get(name)) is not None:
            if not await self._wait(begun, deadline):
                return Unknown(f"an earlier command with the id {name} is not finished")
        before = self._client.sent_request(name)
        if before is not None:
            if before.msg_type == message.msg_type:
                return Sent(before.seq_num, known=True)
            return Refused(f"{name} is the id of an earlier message of type {before.msg_type}")
        return await self._send(message, name, deadline)

    async def _send(self, message: Message, name: str | None, deadline: float) -> Answer:
        left = deadline - self._clock()
        if not 0 < left <= MAX_WITHIN + self._clock_difference:
            return Refused(
                f"received {-left:.3f} s after its deadline"
                if left <= 0
                else f"its deadline is {left:.3f} s away, above {MAX_WITHIN:g} s: check both clocks"
            )
        refusal = None if self._check is None else self._check(message)
        if refusal is not None:
            return Refused(refusal.reason)
        task = asyncio.create_task(self._outcome(message, left))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        if name is not None:
            self._begun[name] = task
            task.add_done_callback(lambda _: self._begun.pop(name))
        try:
            done = await self._wait(task, deadline)
        except asyncio.CancelledError:
            task.cancel()
            raise
        return task.result() if done else Unknown("the store had not committed it by its deadline")

    async def _wait(self, task: asyncio.Task[Answer], deadline: float) -> bool:
        """Wait for a message that is being sent; return whether it was finished by the deadline. It is not
        cancelled: it may be in the store already."""
        left = min(max(0.0, deadline - self._clock()), MAX_WITHIN + self._clock_difference)
        await asyncio.wait({task}, timeout=left)
        return task.done()

    async def _outcome(self, message: Message, left: float) -> Answer:
        try:
            return Sent(await self._client.send(message, timeout=left))
        except SendFailedError as error:
            # Nothing was sent, but a store that failed may keep it: then a successor answers Sent.
            return Unknown(str(error))
        except (LocalProtocolError, ClientTimeoutError, NotConnectedError) as error:
            return Refused(str(error))
        except KalshiFixError as error:
            return Unknown(str(error))
