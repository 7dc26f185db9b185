"""Commands over NATS, as plain requests and replies without a stream."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Final

from nats.aio.msg import Msg
from nats.errors import (
    ConnectionClosedError,
    ConnectionDrainingError,
    MaxPayloadError,
    NoRespondersError,
    OutboundBufferLimitError,
)
from nats.js.errors import KeyNotFoundError

from kalshi_fix_adapters.asyncio import Client
from kalshi_fix_adapters.bus import Answer, Channel, Check, Refused, Unknown
from kalshi_fix_adapters.bus.commands import (
    MAX_ANSWER_WAIT,
    Commands,
    decode_answer,
    encode_answer,
    encode_command,
)
from kalshi_fix_adapters.bus_nats.link import DEADLINE, LOGGER, NATS_ERRORS, Link, command_subject, text_of
from kalshi_fix_adapters.bus_nats.publishing import channel_of
from kalshi_fix_sansio.dialect.base import Message

ROLE: Final = "server"
"""Role of the process that answers commands, which is part of the key under which its fence is kept."""
_CHECK_SECONDS: Final = 0.2
"""Interval in seconds at which to check whether the client has ended."""
_INBOX: Final = re.compile(r"_INBOX(_[^.]*)?\.")
"""The reply subjects that are accepted: inboxes of NATS clients. An inbox may contain the name of a user."""
_NOT_WRITTEN_ERRORS: Final = (
    ConnectionClosedError,
    ConnectionDrainingError,
    MaxPayloadError,
    OutboundBufferLimitError,
)
"""Errors that prove that the NATS client has not written the message."""


async def serve(link: Link, client: Client, check: Check | None, clock_difference: float) -> None:
    """Answer commands until the client has ended."""
    # If the store does not keep ids, this raises LocalProtocolError before any order is accepted.
    client.sent_request("")
    channel = channel_of(client)
    commands = Commands(client, check, time.time, clock_difference=clock_difference)
    subject = command_subject(channel, await link.new_fence(channel, ROLE), "*")
    async with asyncio.TaskGroup() as tasks:

        async def answer(message: Msg) -> None:
            if not _INBOX.match(message.reply):
                # A sender must not be able to make this process publish on other subjects.
                LOGGER.warning("a command was ignored: its reply subject is not an inbox")
                return
            msg_type = message.subject.rpartition(".")[2]
            reply = await commands.answer(message.data, _deadline(message), msg_type)
            try:
                await link.client.publish(message.reply, encode_answer(reply))
            except NATS_ERRORS as error:
                LOGGER.warning("the answer to a command could not be sent (%s): %s", reply, error)

        async def start_answer(message: Msg) -> None:
            tasks.create_task(answer(message))

        subscription = await link.client.subscribe(subject, cb=start_answer)
        try:
            while client.ended is None:  # noqa: ASYNC110 - `publish` takes the final events
                await asyncio.sleep(_CHECK_SECONDS)
        finally:
            try:
                await subscription.unsubscribe()
            except NATS_ERRORS:
                LOGGER.debug("the subscription had already ended", exc_info=True)


def _deadline(message: Msg) -> float:
    try:
        return float((message.headers or {})[DEADLINE])
    except (KeyError, ValueError):
        return 0.0


class RemoteSession:
    """A session in another process, through which messages are sent.

    Attributes:
        channel: The channel of the session.
    """

    def __init__(self, link: Link, channel: Channel) -> None:
        self.channel = channel
        self._link = link
        self._fence: int | None = None
        """The fence of the last process that answered; None if the fence must be looked up."""

    async def send(self, message: Message, *, within: float = 1.0) -> Answer:
        """Send a message through the session process, and return the answer of that process.

        A command that a process may have received is not repeated automatically. After Unknown, it is safe to
        send the same message with the same ClOrdID again. The session process, or its successor with the same
        store, sends it at most once.

        Args:
            message: the message.
            within: number of seconds, at most 30, in which the session process may send the message.

        Raises:
            LocalProtocolError: the message cannot be encoded.
            ValueError: `within` is out of range.
        """
        if not 0 < within <= MAX_ANSWER_WAIT:
            raise ValueError(
                f"within must be above 0, and at most {MAX_ANSWER_WAIT:g} seconds, not {within!r}"
            )
        data, deadline, end = encode_command(message), time.time() + within, time.monotonic() + within
        # Without this pause, a caller that repeats a refused message at once would block the event loop, and
        # the NATS client could not reconnect.
        await asyncio.sleep(0)
        cached, self._fence = self._fence, None
        try:
            fence = await self._look_up(within) if cached is None else cached
            try:
                reply = await self._request(message.msg_type, fence, data, deadline, end)
            except NoRespondersError:
                # No process has received the message, so it can be sent to a process that has taken over in
                # the meantime.
                fence = await self._look_up(max(end - time.monotonic(), 0.001))
                reply = await self._request(message.msg_type, fence, data, deadline, end)
        except KeyNotFoundError:
            return Refused(f"no process has ever answered commands for {self.channel}")
        except NoRespondersError:
            return Refused(f"no process answers commands for {self.channel} now")
        except _ServerNotFoundError as error:
            return Refused(f"the broker does not answer: {error.__cause__ or 'no time left'}")
        except _NOT_WRITTEN_ERRORS as error:
            return Refused(f"not connected to the broker: {text_of(error)}")
        except NATS_ERRORS as error:
            return Unknown(f"no answer within {within:g} s: {text_of(error)}")
        self._fence = fence
        return decode_answer(reply.data)

    async def _look_up(self, seconds: float) -> int:
        """Return the fence of the process that answers commands. This sends no command.

        Raises:
            KeyNotFoundError: no process has ever answered commands.
            _ServerNotFoundError: the broker did not answer.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._link.read_fence(self.channel, ROLE)
        except KeyNotFoundError:
            raise
        except NATS_ERRORS as error:
            raise _ServerNotFoundError from error

    async def _request(self, msg_type: str, fence: int, data: bytes, deadline: float, end: float) -> Msg:
        return await self._link.client.request(
            command_subject(self.channel, fence, msg_type),
            data,
            timeout=max(end - time.monotonic(), 0.001),
            headers={DEADLINE: repr(deadline)},
        )


class _ServerNotFoundError(Exception):
    """The process that answers commands could not be found, so no command was sent."""
