"""Messages that other processes send through a session, and the answers to them.

A command is a user's message in wire format, with a deadline. Its answer is Sent, Refused (the message was
not sent) or Unknown. Commands are never stored, and never repeated automatically.
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
from kalshi_fix_sansio.errors import (
    DecodeError,
    KalshiFixError,
    LocalProtocolError,
    SendFailedError,
    StoreError,
)
from kalshi_fix_sansio.messages import decode, encode

MAX_ANSWER_WAIT: Final = 30.0
"""Maximum number of seconds that a command may wait for its answer."""
MAX_COMMANDS: Final = 1_000
"""Maximum number of commands that a session process handles at the same time."""
_HEADER: Final = Header(
    sender_comp_id="-", target_comp_id="-", msg_seq_num=1, sending_time=datetime(2000, 1, 1, tzinfo=UTC)
)


@attrs.frozen
class Sent:
    """The session has assigned a MsgSeqNum to the message, and sends it once.

    Attributes:
        number: MsgSeqNum of the message.
        known: Whether the number was assigned to an earlier command with the same id. If the session process
            died before it sent the message, the event OutcomesUnknown of the session contains the request.
    """

    number: int
    known: bool = False


@attrs.frozen
class Refused:
    """The message was not sent, and will not be sent.

    Attributes:
        reason: The human-readable reason.
    """

    reason: str


@attrs.frozen
class Unknown:
    """The message may have been sent, or may still be sent.

    It can be sent until its deadline, according to the clock of the session process. If it is waiting for a
    commit of the store at its deadline, it can be sent up to `commit_timeout` later.

    It is safe to send a second command with the same message and ClOrdID: the message is sent at most once. A
    message without an id could be sent twice; look for it in the events of the session instead.

    Attributes:
        reason: The human-readable reason.
    """

    reason: str


Answer = Sent | Refused | Unknown


@attrs.frozen
class Refusal:
    """The result of a check that refuses a message.

    Attributes:
        reason: The human-readable reason.
    """

    reason: str


Check = Callable[[Message], Refusal | None]
"""Called for each new message before it is sent; the result None allows the message."""


class Sender(Protocol):
    """An asyncio client whose store keeps the ids of sent requests."""

    async def send(self, message: Message, *, timeout: float | None = 10.0) -> int:  # noqa: ASYNC109
        """Send a message, and return its MsgSeqNum."""

    def sent_request(self, request_id: str) -> Any:
        """Return the last request sent with this id; None if there is none."""


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
    """Return the answer in a payload; Unknown if the payload is invalid."""
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
    return Unknown("the answer from the session process cannot be read")


def request_id(message: Message) -> str | None:
    """Return the ClOrdID or other id of a request; None if the message has none."""
    layout = DIALECT.messages.get(message.msg_type)
    names = () if layout is None else layout.request
    for name in names:
        value = getattr(message, name, None)
        if isinstance(value, str):
            return value
    return None


class Commands:
    """Sends the messages of commands through a client, each message once.

    Attributes:
        waiting: Number of commands that have not been answered yet.
    """

    def __init__(
        self,
        client: Sender,
        check: Check | None,
        clock: Callable[[], float],
        *,
        clock_difference: float = 0.5,
    ) -> None:
        """Create the object; nothing is sent yet.

        Args:
            client: the client.
            check: called for each new message.
            clock: returns the seconds since 1970.
            clock_difference: number of seconds by which the clock of a process that sends commands may be
                ahead of this clock.
        """
        self._client, self._check, self._clock = client, check, clock
        self._clock_difference = clock_difference
        self._sending: set[asyncio.Task[Answer]] = set()
        """The tasks of messages that are being sent. They may continue after the deadline of their
        command.
        """
        self._by_id: dict[str, asyncio.Task[Answer]] = {}
        """The tasks in `_sending` whose message has an id, by id."""
        self.waiting: int = 0

    async def answer(self, data: bytes, deadline: float, msg_type: str | None = None) -> Answer:
        """Send the message of a command unless it was sent before; return the answer.

        Args:
            data: the payload.
            deadline: seconds since 1970 after which the message must not be sent.
            msg_type: the MsgType in the subject, which the broker permits the sender to use. A message with
                another MsgType is refused.
        """
        if max(self.waiting, len(self._sending)) >= MAX_COMMANDS:
            return Refused(f"the session process is already handling {MAX_COMMANDS} commands")
        self.waiting += 1
        try:
            return await self._answer(data, deadline, msg_type)
        finally:
            self.waiting -= 1

    async def _answer(self, data: bytes, deadline: float, msg_type: str | None) -> Answer:
        try:
            message = decode(data)
        except DecodeError as error:
            return Refused(f"the command is invalid: {error}")
        if msg_type is not None and message.msg_type != msg_type:
            return Refused(f"the message has type {message.msg_type}, but its subject has type {msg_type}")
        identifier = request_id(message)
        if identifier is None:
            return await self._send(message, None, deadline)
        while (earlier := self._by_id.get(identifier)) is not None:
            if not await self._wait(earlier, deadline):
                return Unknown(f"an earlier command with the id {identifier} has not finished")
        try:
            previous = self._client.sent_request(identifier)
        except StoreError as error:
            # The store cannot be read, so it is unknown whether the message was sent before.
            return Unknown(str(error))
        if previous is not None:
            if previous.msg_type == message.msg_type:
                return Sent(previous.seq_num, known=True)
            return Refused(f"{identifier} is the id of an earlier message of type {previous.msg_type}")
        return await self._send(message, identifier, deadline)

    async def _send(self, message: Message, identifier: str | None, deadline: float) -> Answer:
        remaining = deadline - self._clock()
        if not 0 < remaining <= MAX_ANSWER_WAIT + self._clock_difference:
            return Refused(
                f"the command was received {-remaining:.3f} s after its deadline"
                if remaining <= 0
                else f"the deadline is {remaining:.3f} s away, more than {MAX_ANSWER_WAIT:g} s; "
                "check both clocks"
            )
        refusal = None if self._check is None else self._check(message)
        if refusal is not None:
            return Refused(refusal.reason)
        task = asyncio.create_task(self._send_through_client(message, remaining))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        if identifier is not None:
            self._by_id[identifier] = task
            task.add_done_callback(lambda _: self._by_id.pop(identifier))
        try:
            done = await self._wait(task, deadline)
        except asyncio.CancelledError:
            task.cancel()
            raise
        return task.result() if done else Unknown("the store had not committed the message by its deadline")

    async def _wait(self, task: asyncio.Task[Answer], deadline: float) -> bool:
        """Wait for a message that is being sent; return whether sending finished by the deadline. The task is
        not cancelled, because the message may already be in the store.
        """
        remaining = min(max(0.0, deadline - self._clock()), MAX_ANSWER_WAIT + self._clock_difference)
        await asyncio.wait({task}, timeout=remaining)
        return task.done()

    async def _send_through_client(self, message: Message, remaining: float) -> Answer:
        """Send a message through the client within the remaining seconds; return the answer."""
        try:
            return Sent(await self._client.send(message, timeout=remaining))
        except SendFailedError as error:
            # Nothing was sent, but the failed store may contain the message. If it does, the next session
            # process answers the same command with Sent.
            return Unknown(str(error))
        except (LocalProtocolError, ClientTimeoutError, NotConnectedError) as error:
            return Refused(str(error))
        except KalshiFixError as error:
            return Unknown(str(error))
