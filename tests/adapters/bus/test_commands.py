"""Commands from other processes, without a broker: deadlines, checks, repeated commands, answers."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from kalshi_fix_adapters.bus import Refusal, Refused, Sent, Unknown
from kalshi_fix_adapters.bus.commands import (
    MAX_COMMANDS,
    Commands,
    decode_answer,
    encode_answer,
    encode_command,
    request_id,
)
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError
from kalshi_fix_sansio import (
    MarketDataRequest,
    NewOrderSingle,
    OrderCancelRequest,
    OrderMassCancelRequest,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import InvalidMessageError, SendFailedError, StoreError

NOW = 1_764_000_000.0
TOO_MANY = Refused("the session process is already handling 1000 commands")


def order(cl_ord_id: str = "one", **changes: Any) -> NewOrderSingle:
    fields: dict[str, Any] = {"symbol": "KX", "side": Side.BUY, "price": "0.01", "order_qty": 1, **changes}
    return NewOrderSingle(cl_ord_id=cl_ord_id, **fields)


@attrs.frozen
class Recorded:
    msg_type: str
    seq_num: int


class Client:
    """A client with a store. A test can make it delay or refuse messages."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.store: dict[str, Recorded] = {}
        self.timeouts: list[float | None] = []
        self.error: Exception | None = None
        self.store_error: StoreError | None = None
        self.may_send = asyncio.Event()
        self.may_send.set()

    async def send(self, message: Message, *, timeout: float | None = 10.0) -> int:  # noqa: ASYNC109
        self.timeouts.append(timeout)
        await self.may_send.wait()
        if self.error is not None:
            raise self.error
        self.sent.append(message)
        name = request_id(message)
        if name is not None:
            self.store[name] = Recorded(message.msg_type, len(self.sent))
        return len(self.sent)

    def sent_request(self, request_id: str) -> Recorded | None:
        if self.store_error is not None:
            raise self.store_error
        return self.store.get(request_id)


def commands(client: Client, check: Any = None) -> Commands:
    return Commands(client, check, lambda: NOW, clock_difference=0.5)


def blocked_client() -> tuple[Client, Commands]:
    """Return a client whose `send` waits for the test, and its commands."""
    client = Client()
    client.may_send.clear()
    return client, commands(client)


async def answer(handler: Commands, message: Message, remaining: float = 1.0) -> Any:
    return await handler.answer(encode_command(message), NOW + remaining)


async def test_a_message_is_sent_unchanged_with_the_remaining_time_as_its_timeout() -> None:
    client = Client()
    handler = commands(client)
    assert await answer(handler, order(), 0.25) == Sent(1)
    assert client.sent == [order()]
    assert client.timeouts == [pytest.approx(0.25)]
    assert handler.waiting == 0


@pytest.mark.parametrize(
    ("remaining", "reason"),
    [
        (0.0, "after its deadline"),
        (-5.0, "5.000 s after"),
        (30.6, "check both clocks"),
        (float("nan"), "check"),
    ],
)
async def test_a_message_with_a_past_or_impossible_deadline_is_refused(remaining: float, reason: str) -> None:
    client = Client()
    found = await answer(commands(client), order(), remaining)
    assert isinstance(found, Refused)
    assert reason in found.reason
    assert client.sent == []


async def test_a_repeated_command_is_recognized_by_a_successor_and_after_its_deadline() -> None:
    client = Client()
    assert await answer(commands(client), order()) == Sent(1)
    successor = commands(client)
    assert await answer(successor, order()) == Sent(1, known=True)
    assert await answer(successor, order(), -1) == Sent(1, known=True)
    cancel = OrderCancelRequest(cl_ord_id="one", orig_cl_ord_id="zero", symbol="KX", side=Side.BUY)
    assert await answer(successor, cancel) == Refused("one is the id of an earlier message of type D")
    assert len(client.sent) == 1


async def test_a_command_repeated_while_it_is_being_sent_waits_for_the_first_result() -> None:
    client, handler = blocked_client()
    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(answer(handler, order(name))) for name in ("one", "one", "two", "one")]
        await asyncio.sleep(0)
        assert handler.waiting == 4
        client.may_send.set()
    assert sorted(map(str, (item.result() for item in found))) == sorted(
        map(str, [Sent(1), Sent(1, known=True), Sent(2), Sent(1, known=True)])
    )
    assert len(client.sent) == 2


async def test_a_command_that_timed_out_can_be_repeated_and_sent() -> None:
    client, handler = blocked_client()
    client.error = ClientTimeoutError("late")
    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(answer(handler, order())) for _ in range(2)]
        await asyncio.sleep(0)
        client.may_send.set()
    assert [item.result() for item in found] == [Refused("late"), Refused("late")]
    client.error = None
    assert await answer(handler, order()) == Sent(1)


async def test_a_command_whose_commit_takes_longer_than_its_deadline_is_answered_with_unknown() -> None:
    """The answer is in time for every repetition, and the message is sent once."""

    client, handler = blocked_client()
    found = await asyncio.gather(*(answer(handler, order(), 0.001) for _ in range(3)))
    assert {type(item) for item in found} == {Unknown}
    assert isinstance(await answer(handler, order(), -1), Unknown)
    assert handler.waiting == 0
    client.may_send.set()
    assert await answer(handler, order()) == Sent(1, known=True)
    assert len(client.sent) == 1


async def test_the_number_of_messages_waiting_for_the_store_beyond_their_deadline_is_bounded() -> None:
    other_tasks = asyncio.all_tasks()
    client, handler = blocked_client()
    names = map(str, range(MAX_COMMANDS))
    found = await asyncio.gather(*(answer(handler, order(name), 0.001) for name in names))
    assert {type(item) for item in found} == {Unknown}
    assert await answer(handler, order("more")) == TOO_MANY
    client.may_send.set()
    assert await answer(handler, order("0")) == TOO_MANY
    await asyncio.wait(asyncio.all_tasks() - other_tasks)
    await asyncio.sleep(0)  # Lets the callbacks of the last task run.
    assert await answer(handler, order("more")) == Sent(MAX_COMMANDS + 1)


async def test_a_command_that_is_cancelled_before_it_is_sent_is_not_sent() -> None:
    client, handler = blocked_client()
    task = asyncio.create_task(answer(handler, order()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    client.may_send.set()
    assert await answer(handler, order()) == Sent(1)


@pytest.mark.parametrize(
    "error",
    [InvalidMessageError("wrong", ()), ClientTimeoutError("late"), NotConnectedError("off")],
    ids=lambda error: type(error).__name__,
)
async def test_a_message_that_the_client_did_not_send_is_refused_with_the_reason(error: Exception) -> None:
    client = Client()
    client.error = error
    assert await answer(commands(client), order()) == Refused(str(error))


async def test_a_message_that_may_have_been_sent_is_answered_with_unknown() -> None:
    client = Client()
    client.error = StoreError("disk")
    assert await answer(commands(client), order()) == Unknown("disk")
    client.error = SendFailedError(StoreError("disk"))
    assert isinstance(await answer(commands(client), order()), Unknown)
    # An exception would end `serve`, and with it the publication of the session's last events.
    client.store_error = StoreError("damaged")
    assert await answer(commands(client), order()) == Unknown("damaged")


async def test_the_message_type_in_the_subject_must_be_that_of_the_message() -> None:
    handler = commands(Client())
    found = await handler.answer(encode_command(order()), NOW + 1, "F")
    assert found == Refused("the message has type D, but its subject has type F")
    assert isinstance(await handler.answer(encode_command(order()), NOW + 1, "D"), Sent)


async def test_the_check_is_applied_to_new_messages_only() -> None:
    client = Client()
    seen: list[Message] = []

    def check(message: Message) -> Refusal | None:
        seen.append(message)
        return Refusal("too much") if getattr(message, "order_qty", 0) > 5 else None

    handler = commands(client, check)
    assert await answer(handler, order("one", order_qty=6)) == Refused("too much")
    assert await answer(handler, order("one", order_qty=5)) == Sent(1)
    assert await answer(handler, order("one", order_qty=5)) == Sent(1, known=True)
    assert len(seen) == 2


async def test_messages_without_an_id_are_sent_every_time_and_waiting_commands_are_bounded() -> None:
    client = Client()
    handler = commands(client)
    request = MarketDataRequest.subscribe("KX")
    assert [await answer(handler, request) for _ in range(2)] == [Sent(1), Sent(2)]
    client.may_send.clear()
    tasks = [asyncio.create_task(answer(handler, order(str(n)))) for n in range(MAX_COMMANDS)]
    await asyncio.sleep(0)
    assert await answer(handler, order("more")) == TOO_MANY
    client.may_send.set()
    assert {type(item) for item in await asyncio.gather(*tasks)} == {Sent}


@pytest.mark.parametrize("data", [b"", b"8=FIX", b"\xff" * 100])
def test_a_payload_that_is_not_a_message_is_refused(data: bytes) -> None:
    found = asyncio.run(commands(Client()).answer(data, NOW + 1))
    assert isinstance(found, Refused)
    assert found.reason.startswith("the command is invalid")


@pytest.mark.parametrize("original", [Sent(7), Sent(7, known=True), Refused("é"), Unknown("?")], ids=str)
def test_answers_round_trip(original: Any) -> None:
    assert decode_answer(encode_answer(original)) == original


@pytest.mark.parametrize("data", [b"", b"{}", b'{"Sent":{"number":"7","known":true}}', b"[" * 10_000])
def test_an_unreadable_answer_is_unknown(data: bytes) -> None:
    assert isinstance(decode_answer(data), Unknown)


def test_the_request_id_is_the_id_field_of_the_message() -> None:
    assert request_id(order("one")) == "one"
    assert request_id(OrderMassCancelRequest(cl_ord_id="m", mass_cancel_request_type="6")) == "m"
    assert request_id(MarketDataRequest.subscribe("KX")) is None
