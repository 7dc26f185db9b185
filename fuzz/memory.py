"""Memory use of sessions: `python -m fuzz memory` passes messages of the maximum size to sessions in every
state.

Each case runs in a separate process, whose resident memory is compared before and after. `--sample` runs some
of the cases, with just enough messages to exceed the budget if all were kept.
"""

from __future__ import annotations

import multiprocessing
import platform
import resource
from collections.abc import Callable
from typing import Any, Final

import attrs

from fuzz.targets import session as sessions
from fuzz.targets.session import Player, Setting
from fuzz.wire import SOH
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.session import Session

MAX_MESSAGE_SIZE: Final = 256 * 1024
"""Maximum size of a message in bytes."""
BUDGET_MB: Final = 96
"""Maximum growth in megabytes of the memory of a session with the default bounds, for any input. It includes
events that wait for the user, bytes that wait for the peer, messages held during a gap or stored, and memory
that the allocator keeps."""
MESSAGES: Final = 1000
"""Number of messages of each case, except in a sample."""
SAMPLE_MESSAGES: Final = 5 * BUDGET_MB * 1024 * 1024 // MAX_MESSAGE_SIZE // 4
"""Number of messages in a sample: a quarter more than fit into the budget."""
_PROCESSES = 2
_RESERVED_BYTES = 400
"""Number of bytes reserved for the fields of a message other than its filler."""
_KEPT_SETTINGS: Final = frozenset(
    {"role", "dialect", "session_type", "product", "sender_comp_id", "target_comp_id", "sign_logon"}
)
MANY_FIELDS: Final = "reports with many unknown fields"
MANY_FIELDS_DIVISOR: Final = 20
"""Divisor of the number of `MANY_FIELDS` messages: each of them takes a quarter of a second, and 17 times its
size in memory."""
_KINDS: Final[dict[str, tuple[bytes, bytes, bytes]]] = {
    "Heartbeats, each with a different SenderSubID": (b"0", b"50=%06d", b""),
    "TestRequests": (b"1", b"", b"112=%06d"),
    "reports with one text": (b"8", b"", b"37=o\x0117=%06d\x0158="),
    MANY_FIELDS: (b"8", b"", b"37=%06d"),
    "orders with unknown fields in the header": (b"D", b"29999=%06d", b""),
}


def _message(kind: str, number: int) -> tuple[bytes, bytes, bytes]:
    """Return MsgType, header and body of one message of the maximum size."""
    msg_type, header, body = _KINDS[kind]
    size = MAX_MESSAGE_SIZE - _RESERVED_BYTES
    if kind == MANY_FIELDS:
        field = b"9999=x\x01"
        return msg_type, b"", body % number + SOH + field * (size // len(field))
    if header:
        return msg_type, header % number + b"x" * size + SOH, body
    return msg_type, b"", body % number + b"x" * size + SOH


@attrs.frozen
class Case:
    """A session in a state, the kind of messages that it receives, and whether its user takes events."""

    role: Role
    state: str
    kind: str
    takes_events: bool

    @property
    def name(self) -> str:
        user = "whose user takes events" if self.takes_events else "whose user takes no events"
        return f"an {self.role.value}, {self.state}, {user}, with {self.kind}"

    def count(self, messages: int) -> int:
        """Return the number of messages of this case; `messages` is the number in the other cases."""
        return max(messages // MANY_FIELDS_DIVISOR, 1) if self.kind == MANY_FIELDS else messages

    def begin(self) -> Callable[[int], None]:
        """Bring a session into the state; return a function that sends it the message with a given number."""
        player = Player(Setting(self.role, "KalshiRT"))
        # The session has the default bounds, not the small ones of the fuzz target.
        settings: dict[str, Any] = {name: getattr(player.config, name) for name in _KEPT_SETTINGS}
        player.config = SessionConfig(**settings, codec=Codec(DIALECT), max_message_size=MAX_MESSAGE_SIZE)
        player.session = Session(player.config, player.store)
        sessions.reach(player, self.state)
        session = player.session

        def send(number: int) -> None:
            msg_type, header, body = _message(self.kind, number)
            player.received = b""
            try:
                player.receive(msg_type, body, header=header)
            except (LocalProtocolError, AssertionError):
                session.events()
            if self.takes_events:
                session.events()
                session.data_to_send()

        return send


CASES: Final = tuple(
    Case(role, state, kind, takes_events)
    for role in Role
    for state in sessions.STATES
    for kind in _KINDS
    for takes_events in (True, False)
)
_SAMPLE_STATES: Final = (
    (Role.INITIATOR, "established"),
    (Role.ACCEPTOR, "recovering"),
    (Role.ACCEPTOR, "logon requested"),
)
SAMPLE: Final = tuple(
    case
    for case in CASES
    if (case.role, case.state) in _SAMPLE_STATES[: 1 if case.kind == MANY_FIELDS else None]
)


def resident_memory() -> int:
    """Return the resident memory of this process, in bytes; on systems other than Linux, its peak so far."""
    if platform.system() == "Linux":
        with open("/proc/self/statm") as file:  # noqa: PTH123 - read often
            return int(file.read().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def memory_growth(send: Callable[[int], None], messages: int) -> int:
    """Return the maximum growth of the process in bytes while messages are sent."""
    before = peak = resident_memory()
    for number in range(messages):
        send(number)
        if number % 16 == 0 or number == messages - 1:
            peak = max(peak, resident_memory())
    return peak - before


def describe_excess(name: str, size: int) -> str:
    """Return a description of excessive growth, or an empty string if the growth is within the budget."""
    return f"{size >> 20} MB in {name}" if size > BUDGET_MB * 1024 * 1024 else ""


def _measure_case(arguments: tuple[Case, int]) -> int:
    case, messages = arguments
    return memory_growth(case.begin(), case.count(messages))


def check(*, sample: bool = False) -> int:
    """Measure all cases, or a sample of them; print the cases over the budget, and return their number."""
    messages, cases = (SAMPLE_MESSAGES, SAMPLE) if sample else (MESSAGES, CASES)
    # A forked process does not import the modules again.
    context = multiprocessing.get_context("fork" if platform.system() == "Linux" else "spawn")
    with context.Pool(_PROCESSES, maxtasksperchild=1) as pool:
        sizes = pool.map(_measure_case, [(case, messages) for case in cases], chunksize=1)
    excesses = [
        excess
        for case, size in zip(cases, sizes, strict=True)
        if (excess := describe_excess(case.name, size))
    ]
    for excess in excesses:
        print(f"  OVER BUDGET: {excess}", flush=True)
    print(
        f"memory       {len(cases)} cases of {messages} messages of {MAX_MESSAGE_SIZE // 1024} KB, maximum "
        f"{max(sizes) >> 20} MB of {BUDGET_MB}, {len(excesses)} excessive"
    )
    return len(excesses)
