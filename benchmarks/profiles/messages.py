"""Stages of reading a message (a), writing one (b), and keeping a book (e)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zlib import adler32

from benchmarks import samples
from benchmarks.cases import books, codec
from benchmarks.engines import ours
from benchmarks.engines.ours import sending_time
from benchmarks.measure import over
from benchmarks.profiles import Part
from kalshi_fix_sansio.codec.compiled.cache import SIGHTINGS_TO_COMPILE
from kalshi_fix_sansio.framing import byte_sum
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.trading import OrderBooks

RESTS = {
    codec.READ: "reading the attributes, finding the function, freeing",
    codec.WRITE: "number and time to a header, BodyLength, text to bytes",
    **{books.title(kind, books.BOOK): "finding the function, freeing" for kind in books.KINDS},
}


def parts(count: int = samples.COUNT) -> dict[str, list[Part]]:
    """Return the parts of each case."""
    return {
        codec.READ: list(_reading(count)),
        codec.WRITE: list(_writing(count)),
        **{books.title(kind, books.BOOK): list(_book(kind, count)) for kind in books.KINDS},
    }


def _decoding(wire: list[bytes]) -> Iterator[Part]:
    """The function that was made for the shape of these messages, and what is in it."""
    for data in wire * (2 + SIGHTINGS_TO_COMPILE // len(wire)):
        CODEC.decode(data)
    heads: Any = CODEC._compiled._heads
    calls = []
    for data in wire:
        at = data.find(b"\x0134=") + 1
        _, _, head, _, read, _ = heads[data[:at]]
        calls.append((read, data, at, head))
    count = len(wire)
    yield Part(
        "the function made for the shape", over(lambda call: call[0](*call[1:], False, False), calls), count
    )
    yield Part("bytes to text", over(lambda data: data.decode("latin-1"), wire), count, "within")
    made: dict[str, Any] = calls[0][0].__globals__
    match, split = made["match"], made.get("split")
    texts = [(data.decode("latin-1"), at) for _, data, at, _ in calls]
    if split is not None:
        rests = [text[at:] for text, at in texts]
        yield Part(
            "entries: all tags and lexical forms, the values as strings", over(split, rests), count, "within"
        )
        texts = [(split(rest)[0], 0) for rest in rests]
    matches = [match(*text) for text in texts]
    yield Part(
        "all tags and lexical forms, one expression", over(lambda text: match(*text), texts), count, "within"
    )
    yield Part("the values as strings", over(lambda match: match.groups(), matches), count, "within")
    yield Part("CheckSum", over(byte_sum, [data[:-7] for data in wire]), count, "within")


def _reading(count: int) -> Iterator[Part]:
    wire = [samples.report_bytes(number) for number in range(count)]
    yield Part("all", over(ours.read_report, wire), count, "whole")
    yield from _decoding(wire)


def _writing(count: int) -> Iterator[Part]:
    orders = [samples.order(number) for number in range(count)]
    headers = [header for header, _ in zip(samples.order_headers(), orders, strict=False)]
    pairs = list(zip(orders, headers, strict=True))
    write = ours.order_writer()
    wire = [write(order) for order in orders]
    dialect = CODEC.dialect
    of_header, of_body = dialect.header.encode, orders[0].LAYOUT.encode
    yield Part("all", over(write, orders), count, "whole")
    yield Part("the header: checks, values to text", over(lambda h: of_header(h, False), headers), count)
    yield Part("the body: checks, values to text", over(lambda order: of_body(order, False), orders), count)
    yield Part(
        "str() of two decimals",
        over(lambda order: (str(order.price), str(order.order_qty)), orders),
        count,
        "within",
    )
    yield Part("CheckSum", over(byte_sum, wire), count)
    texts = [sending_time(moment) for moment in samples.moments(count)]
    bare = list(zip(orders, headers, texts, strict=True))
    assert [_unchecked(each) for each in bare] == [CODEC.encode(*pair) for pair in pairs]
    yield Part(
        "the same bytes by two f-strings and a sum, the time as text, nothing looked at",
        over(_unchecked, bare),
        count,
        "scale",
    )


def _unchecked(made: tuple[Any, Any, str]) -> bytes:
    """Write an order without looking at a single value: the least that Python can do."""
    order, header, time = made
    body = (
        f"35=D\x0149={header.sender_comp_id}\x0156={header.target_comp_id}\x0134={header.msg_seq_num}\x01"
        f"52={time}\x0111={order.cl_ord_id}\x0138={order.order_qty!s}\x0140={order.ord_type._value_}\x01"
        f"44={order.price!s}\x0154={order.side._value_}\x0155={order.symbol}\x01"
        f"59={order.time_in_force._value_}\x01526={order.secondary_cl_ord_id}\x01"
        f"2964={order.self_trade_prevention_type._value_}\x01"
        f"21006={'Y' if order.cancel_order_on_pause else 'N'}\x01"
    )
    data = f"8=FIXT.1.1\x019={len(body)}\x01{body}".encode()
    return data + f"10={adler32(data, 0) & 255:03}\x01".encode()


def _book(kind: str, count: int) -> Iterator[Part]:
    wire = books.wire(kind, count)
    book, applied = ours.Book(), OrderBooks()
    for number in range(len(samples.MARKETS)):
        first = samples.snapshot_bytes(books.LEVELS, number)
        book.apply(first)
        applied.apply(CODEC.decode(first))
    messages = [CODEC.decode(data) for data in wire]
    yield Part("all", over(book.apply, wire), count, "whole")
    yield from _decoding(wire)
    yield Part("applying it to the book", over(applied.apply, messages), count)
