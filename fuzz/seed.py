"""The seed corpus: `python -m fuzz seed` writes it to corpus/, one file for each target.

Each line contains a name and an input in hexadecimal digits. The inputs cover every example of the spec and
every valid message of Kalshi's dialect and of plain FIX 5.0 SP2, every state of a session followed by
possible next steps, the scenarios of tests/scenarios/, and every file, page and secret of the other targets.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from fuzz import scenarios, wire
from fuzz.targets import CORPUS, diff, secrets, session, spec, store
from fuzz.wire import WIRES, WireDialect

Seeds = Iterator[tuple[str, bytes]]
_STEPS_PER_SEED = 5


def encode(*choices: tuple[int, int] | bytes) -> bytes:
    """Return the input that leads to these choices, each given as (index, number of options) or as bytes."""
    return b"".join(
        choice
        if isinstance(choice, bytes)
        else choice[0].to_bytes(((choice[1] - 1).bit_length() + 7) // 8, "big")
        for choice in choices
    )


def pseudo_random_bytes(name: str, size: int) -> bytes:
    """Return pseudo-random bytes that depend only on the name and the size."""
    blocks = (hashlib.sha256(f"{name} {number}".encode()).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def _messages(*wires: WireDialect) -> Iterator[tuple[str, tuple[int, int], bytes]]:
    """Yield the name of each valid message, the choice of its dialect, and the choices that construct it."""
    for index, chosen_wire in enumerate(wires):
        for large, templates in ((0, chosen_wire.templates), (wire.LARGE_ODDS - 1, chosen_wire.large[:1])):
            for number, fields in enumerate(templates):
                name = f"{chosen_wire.dialect.name}-{fields[0][1].decode()}-{large and 'large'}{number}"
                count = len(chosen_wire.large if large else templates)
                message = encode((large, wire.LARGE_ODDS), (number, count), (0, len(wire.CHANGE_COUNTS)))
                yield name, (index, len(wires)), message


def _framing() -> Seeds:
    for name, dialect, message in _messages(*WIRES):
        message_choices = encode((0, 4), dialect) + message
        yield name, encode((0, 2), (0, 3), (1, 6)) + message_choices * 2 + encode((2, 16), (7, 64), (40, 64))


def _decode() -> Seeds:
    for name, dialect, message in _messages(*WIRES):
        yield name, encode(dialect, (0, 64), (0, 8), (0, 4), (0, 32)) + message


def _encode() -> Seeds:
    for number, chosen_wire in enumerate(WIRES):
        for index, layout in enumerate(chosen_wire.dialect.messages.values()):
            prefix = encode((number, len(WIRES)), (index, len(chosen_wire.dialect.messages)))
            name = f"{chosen_wire.dialect.name}-{layout.name}"
            yield name, prefix
            yield f"{name}-full", prefix + pseudo_random_bytes(name, 200)


def _session() -> Seeds:
    peer_choices = len(session._BODIES)
    step = 0
    for role in range(2):
        for kind, name in enumerate(session._SESSION_TYPES):
            for index, state in enumerate(session.STATES):
                prefix = encode(
                    (role, 2),
                    (kind, len(session._SESSION_TYPES)),
                    (step % 2, 2),
                    (0, 4),
                    (0, 4),
                    (step % 3, 3),
                )
                data = prefix + encode((index, len(session.STATES)))
                for _ in range(_STEPS_PER_SEED):
                    step += 1
                    peer = encode((0, 16), (step * 5 % peer_choices, peer_choices), (0, 8), (step % 6, 6))
                    data += peer + encode((0, 4)) * (step % 6 == 5) + encode((0, 16)) * (step % 6 == 4)
                    data += encode((0, 4), (0, 6), (0, 2 * len(session._CHANGES) + 16), (11, 16))
                yield f"{'acceptor' if role else 'initiator'}-{name}-{state.replace(' ', '-')}", data
    yield from scenarios.inputs()


def _books() -> Seeds:
    for number in range(40):
        yield f"drawn-{number}", pseudo_random_bytes(f"books {number}", 120)


def _log_reader() -> Seeds:
    for number, (name, _, message) in enumerate(_messages(wire.KALSHI)):
        yield (
            name,
            encode((0, 3)) + message + encode((number % 6, 6), (0, 4), (number % 8, 8), (number % 7, 7)),
        )


def _store() -> Seeds:
    for number in range(48):
        image = number % len(store.IMAGES)
        yield (
            f"image-{image}-{number}",
            encode((image, len(store.IMAGES))) + pseudo_random_bytes(f"store {number}", 16),
        )


def _secrets() -> Seeds:
    field_count, delimiter_count = len(secrets.FIELDS), len(secrets._DELIMITERS)
    for field, index in itertools.product(range(field_count), range(delimiter_count)):
        data = encode((0, 3), (field, field_count), (index, delimiter_count), (0, 3))
        end = encode((0, 2), (3, 8), b"\x05\x10\x20", (0, 3))
        yield f"{secrets.FIELDS[field].decode()}{index}", data + end


def _spec() -> Seeds:
    for number, name in enumerate(spec._FILES):
        for value in range(len(spec._VALUES)):
            prefix = encode((number, len(spec._FILES)), (0, 8), (0, 4))
            size = len(spec._TEXTS[name]) + 1
            change = encode((value * 3 % size, size), (2, 6), (value, len(spec._VALUES)), (value % 16, 16))
            yield f"{name.stem}-{value}", prefix + change


def _diff() -> Seeds:
    for kind, (name, fragments) in enumerate((("page", diff._FRAGMENTS), ("dictionary", diff._ELEMENTS))):
        count = len(fragments)
        data = encode((kind, 2)) + b"".join(encode((number, count), (4, 6)) for number in range(count))
        yield f"{name}-whole", data
        for number in range(count):
            yield f"{name}-{number}", data + encode((number, count), (2, 6), b"\x03\x02\x03")


GENERATORS: Final[Mapping[str, Callable[[], Seeds]]] = {
    "framing": _framing,
    "decode": _decode,
    "encode": _encode,
    "session": _session,
    "books": _books,
    "log_reader": _log_reader,
    "store": _store,
    "secrets": _secrets,
    "spec": _spec,
    "diff": _diff,
}


def text(target: str) -> str:
    """Return the content of a target's corpus file."""
    return "".join(f"{name} {data.hex()}\n" for name, data in GENERATORS[target]())


def path(target: str) -> Path:
    """Return the path of a target's corpus file."""
    return CORPUS / f"{target}.txt"


def write() -> None:
    """Write the corpus files of all targets."""
    CORPUS.mkdir(exist_ok=True)
    for target in GENERATORS:
        path(target).write_text(text(target), encoding="ascii")
