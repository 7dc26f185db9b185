"""(c) A stream to messages, (d) the same through a whole session to events, and what (c) is made of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks import samples
from benchmarks.canonical import require_equal
from benchmarks.engines import ours
from benchmarks.engines.present import engine
from benchmarks.measure import Contender
from kalshi_fix_sansio import DIALECT, Logon, encode
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.events import LoggedOn, MessageReceived
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import MessageStore, Session

STREAM, SESSION = "c: 1 MB stream to messages", "d: the stream through a session"
FRAMING, DECODING = "c: framing alone", "c: decoding alone"
CHUNK = 4096
SIZE = 1_000_000


def cut(data: bytes) -> list[bytes]:
    """Cut a stream into chunks as they come from a socket."""
    return [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]


def established(name: str = samples.VENUE, store: MessageStore | None = None) -> Session:
    """Return a session that is logged on and waits for the message with number 2."""
    session = Session(
        SessionConfig(
            role=Role.INITIATOR,
            dialect=DIALECT,
            codec=CODEC,
            session_type=DIALECT.session_types[name],
            product="prediction",
            sender_comp_id=samples.KEY_ID,
            target_comp_id=name,
            reset_seq_num=True,
            max_open_requests=10_000_000,
            sign_logon=lambda _: b"c2lnbmF0dXJl",
        ),
        store,
    )
    now = Instant(0.0, samples.NOON)
    session.connect(now)
    session.data_to_send()
    logon = Logon(encrypt_method=0, heart_bt_int=30, default_appl_ver_id="9", reset_seq_num_flag=True)
    session.receive_data(encode(logon, samples.header("A", 1, samples.NOON, venue=name)), now)
    assert any(isinstance(event, LoggedOn) for event in session.events())
    return session


def through_session(chunks: list[bytes]) -> Callable[[], list[Any]]:
    """Return a function that feeds the chunks to a fresh session each time it was prepared."""
    now = Instant(1.0, samples.NOON + timedelta(seconds=5))

    def run() -> list[Any]:
        session = established()
        receive, events = session.receive_data, session.events
        told: list[Any] = []
        for chunk in chunks:
            receive(chunk, now)
            told += events()
        assert not session.wants_close
        return told

    return run


def numbered(size: int = SIZE) -> list[bytes]:
    """Return reports with the numbers that a session expects after its logon."""
    found: list[bytes] = []
    total = 0
    while total < size:
        number = len(found)
        head = samples.header("8", 2 + number, samples.NOON + timedelta(milliseconds=number))
        found.append(encode(samples.report(number), head))
        total += len(found[-1])
    return found


def streaming() -> list[Contender]:
    """Contenders for the stream, with what the parts cost by themselves."""
    wire = numbered()
    chunks, count = cut(b"".join(wire)), len(wire)
    ours.read_stream(chunks[:4])
    frames = [Frame(data) for data in wire]
    decode = CODEC.decode

    def frame_alone() -> None:
        framer = Framer()
        for chunk in chunks:
            framer.feed(chunk)
            while framer.next() is not None:
                pass

    def decode_alone() -> None:
        for frame in frames:
            decode(frame)

    runs: dict[tuple[str, str], Callable[[], Any]] = {
        (STREAM, ours.NAME): lambda: ours.read_stream(chunks),
        (FRAMING, ours.NAME): frame_alone,
        (DECODING, ours.NAME): decode_alone,
        (SESSION, ours.NAME): through_session(chunks),
    }
    for name in ("kalshi_sdk", "simplefix_engine"):
        if (found := engine(name)) is not None:
            runs[STREAM, found.NAME] = partial(found.read_stream, chunks)
    if (quickfix := engine("quickfix_engine")) is not None:
        texts = [data.decode("latin-1") for data in wire]
        runs[STREAM, f"{quickfix.NAME}, cut already"] = lambda: quickfix.read_stream(texts)
    told = [event for event in runs[SESSION, ours.NAME]() if isinstance(event, MessageReceived)]
    read = runs[STREAM, ours.NAME]()
    require_equal(
        "the stream",
        {"sent": count} | {name: len(run()) for (case, name), run in runs.items() if case == STREAM},
    )
    require_equal("the session", {"stream": read, "session": [event.message for event in told]})
    return [Contender(case, name, run, count, max_calls=1) for (case, name), run in runs.items()]
