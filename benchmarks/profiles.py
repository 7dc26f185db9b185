"""Where the time goes: each case taken apart into stages that are measured by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import samples
from benchmarks.cases import books, stream
from benchmarks.engines import ours
from benchmarks.measure import Contender, measure
from kalshi_fix_sansio.framing import Frame, Framer, byte_sum
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.trading import OrderBooks

Stage = tuple[str, Callable[[], object], int]
"""Name, what is done, and how many times in one call. The first one of a case is the whole."""
ROUNDS = 15


def stages() -> list[str]:
    """Measure all stages; return the lines of a Markdown table."""
    cases = {
        "a: report to 20 values": list(_reading()),
        "b: order to bytes": list(_writing()),
        "c: a message of the stream": list(_stream()),
        "d: a message through a session": list(_session()),
        "e: incremental of 1 to book": list(_book(books.KINDS[0])),
        "e: incremental of 3 to book": list(_book(books.KINDS[1])),
        "e: snapshot of 40 to book": list(_book(books.KINDS[2])),
    }
    contenders = [
        Contender(case, name, run, per_call, max_calls=1 if per_call > 100 else 100_000)
        for case, parts in cases.items()
        for name, run, per_call in parts
    ]
    lines = ["| case | stage | µs | share |", "|---|---|---:|---:|"]
    measured = {(found.case, found.engine): found.us_min for found in measure(contenders, ROUNDS)}
    for case, ((whole, _, _), *parts) in cases.items():
        total = measured[case, whole]
        lines.append(f"| {case} | {whole} | {total:.2f} | |")
        left = total
        for name, _, _ in parts:
            spent = measured[case, name]
            left -= 0 if name.startswith("in it") else spent
            lines.append(f"| | {name} | {spent:.2f} | {spent / total:.0%} |")
        lines.append(f"| | the rest: calls, what to do next, freeing | {left:.2f} | {left / total:.0%} |")
    return lines


def _shape(data: bytes) -> tuple[str, Any]:
    """Return a message's text and the shape that it has."""
    for _ in range(3):
        CODEC.decode(data)
    text = data.decode("latin-1")
    shapes = (shape for found in CODEC._shapes._shapes.values() for shape in found)
    return text, next(shape for shape in shapes if shape.match(text))


def _decoding(data: bytes) -> Iterator[Stage]:
    text, shape = _shape(data)
    match = shape.match(text)
    values = match.groups()
    yield "BodyLength and CheckSum", lambda: byte_sum(data[:-7]), 1
    yield "all tags and lexical forms, one expression", lambda: shape.match(text), 1
    yield "the values as strings", match.groups, 1
    yield "typed values, groups, header, message", lambda: shape.build(values), 1


def _reading() -> Iterator[Stage]:
    data = samples.report_bytes()
    yield "all", lambda: ours.read_report(data), 1
    yield from _decoding(data)


def _writing() -> Iterator[Stage]:
    write = ours.order_writer()
    write()
    write()
    data = write()
    order, header = samples.order(), next(samples.order_headers())
    text = data.decode("latin-1")
    form = CODEC._forms._forms[order.__class__][0].compose
    yield "all", write, 1
    yield "checks, values to text, one string, to bytes", lambda: form(order, header), 1
    yield "in it: str() of two decimals", lambda: (str(order.price), str(order.order_qty)), 1
    yield "in it: text to bytes, the head before it", lambda: b"8=FIXT.1.1\x019=212\x01" + text.encode(), 1
    yield "in it: CheckSum", lambda: byte_sum(data), 1


def _stream() -> Iterator[Stage]:
    wire = stream.numbered()
    chunks, count = stream.cut(b"".join(wire)), len(wire)
    ours.read_stream(chunks)
    frames = [Frame(data) for data in wire]

    def frame() -> None:
        framer = Framer()
        for chunk in chunks:
            framer.feed(chunk)
            while framer.next() is not None:
                pass

    yield "all", lambda: ours.read_stream(chunks), count
    yield "framing", frame, count
    yield "decoding", lambda: [CODEC.decode(each) for each in frames], count


def _session() -> Iterator[Stage]:
    wire = stream.numbered()
    chunks, count = stream.cut(b"".join(wire)), len(wire)
    run = stream.through_session(chunks)
    run()
    yield "all", run, count
    yield "the stream to messages", lambda: ours.read_stream(chunks), count


def _book(kind: str) -> Iterator[Stage]:
    first, second = books.wire(kind)
    book = ours.Book(samples.snapshot_bytes(books.LEVELS))
    for data in (first, second) * 3:
        book.apply(data)
    order_books = OrderBooks()
    order_books.apply(CODEC.decode(samples.snapshot_bytes(books.LEVELS)))
    messages = CODEC.decode(first), CODEC.decode(second)

    def both() -> None:
        book.apply(first)
        book.apply(second)

    def apply() -> None:
        order_books.apply(messages[0])
        order_books.apply(messages[1])

    yield "all", both, 2
    yield "applying it to the book", apply, 2
    yield from _decoding(first)
