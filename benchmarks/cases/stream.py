"""Benchmarks: (c) decode a stream into messages, (d) pass it through a session, and the steps of (c)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from datetime import timedelta
from itertools import chain
from typing import Any, TypeVar

from benchmarks import samples
from benchmarks.canonical import require_equal
from benchmarks.engines import installed, ours
from benchmarks.measure import Contender
from kalshi_fix_sansio import Logon, Message, encode
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import Event, LoggedOn, MessageReceived
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import MessageStore, Session

STREAM, SESSION = "c: 1 MB stream to messages", "d: the stream through a session"
FRAMING, DECODING = "c: framing alone", "c: decoding alone"
CHUNK = 4096
T = TypeVar("T")
SIZE = 1_000_000


def split_into_chunks(data: bytes) -> list[bytes]:
    """Split a stream into chunks, as read from a socket."""
    return [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]


def logged_on_session(name: str = samples.VENUE, store: MessageStore | None = None) -> Session:
    """Return a session that is logged on and expects MsgSeqNum 2 next."""
    session = Session(
        samples.session_config(name, codec=CODEC, reset_seq_num=True, max_open_requests=10_000_000), store
    )
    now = Instant(0.0, samples.NOON)
    session.connect(now)
    session.data_to_send()
    logon = Logon(encrypt_method=0, heart_bt_int=30, default_appl_ver_id="9", reset_seq_num_flag=True)
    session.receive_data(encode(logon, samples.header("A", 1, samples.NOON, venue=name)), now)
    assert any(isinstance(event, LoggedOn) for event in session.events())
    return session


def feed_session(chunks: Iterable[bytes], session: Session | None = None) -> Iterator[list[Event]]:
    """Feed the chunks to a logged-on session (by default a new one); yield the events."""
    now = Instant(1.0, samples.NOON + timedelta(seconds=5))
    session = session or logged_on_session()
    receive, events = session.receive_data, session.events
    for chunk in chunks:
        receive(chunk, now)
        yield events()
    assert not session.wants_close


def split_frames(chunks: Iterable[bytes]) -> Iterator[list[Any]]:
    """Split chunks into frames without decoding them; yield the frames of each chunk."""
    framer = Framer()
    for chunk in chunks:
        framer.feed(chunk)
        frames = []
        while (item := framer.next()) is not None:
            frames.append(item)
        yield frames


def decode(batches: Iterable[list[Frame]]) -> Iterator[list[Message]]:
    """Decode frames that have already been split."""
    for frames in batches:
        yield [CODEC.decode(each) for each in frames]


def batches(items: Sequence[T], size: int = 10) -> list[list[T]]:
    """Split items into batches; by default, a batch has about as many items as a chunk has messages."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def numbered_reports(size: int = SIZE) -> list[bytes]:
    """Return reports with the MsgSeqNums that a session expects after its logon."""
    reports: list[bytes] = []
    total = 0
    while total < size:
        number = len(reports)
        reports.append(samples.encode_received(samples.report(number), number))
        total += len(reports[-1])
    return reports


def stream_contenders(size: int = SIZE) -> list[Contender]:
    """Return contenders that read the stream, and contenders for the steps of reading it."""
    wire = numbered_reports(size)
    chunks, count = split_into_chunks(b"".join(wire)), len(wire)
    frames = batches([Frame(data) for data in wire])
    runs: dict[tuple[str, str], tuple[Callable[[Any], Iterable[list[Any]]], Sequence[Any]]] = {
        (STREAM, ours.NAME): (ours.read_stream, chunks),
        (FRAMING, ours.NAME): (split_frames, chunks),
        (DECODING, ours.NAME): (decode, frames),
        (SESSION, ours.NAME): (feed_session, chunks),
    }
    for engine in installed(["kalshi_sdk", "simplefix_engine"]):
        runs[STREAM, engine.NAME] = engine.read_stream, chunks
    for quickfix in installed(["quickfix_engine"]):
        texts = [data.decode("latin-1") for data in wire]
        runs[STREAM, f"{quickfix.NAME}, pre-split"] = quickfix.read_stream, batches(texts)
    counts = {f"{name}, {case}": consume(*run)() for (case, name), run in runs.items()}
    require_equal("the stream", {"sent": count} | counts)
    events = chain.from_iterable(feed_session(chunks))
    read = list(chain.from_iterable(ours.read_stream(chunks)))
    require_equal(
        "the session",
        {
            "stream": read,
            "session": [event.message for event in events if isinstance(event, MessageReceived)],
        },
    )
    contenders = [
        Contender(case, name, consume(*run), count, max_calls=1)
        for (case, name), run in runs.items()
        if case != SESSION
    ]
    return [*contenders, _session_contender(chunks, count)]


def _session_contender(chunks: Sequence[bytes], count: int) -> Contender:
    """Return a contender that reads the stream in a new session each time; logons are not measured."""
    sessions: list[Session] = []

    def run() -> int:
        return sum(map(len, feed_session(chunks, sessions.pop())))

    return Contender(
        SESSION, ours.NAME, run, count, max_calls=1, prepare=lambda: sessions.append(logged_on_session())
    )


def consume(act: Callable[[Any], Iterable[Sized]], items: Sequence[Any]) -> Callable[[], int]:
    """Return a function that reads these items, discards the messages, and returns their number."""
    return lambda: sum(map(len, act(items)))
