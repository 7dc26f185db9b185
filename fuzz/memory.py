"""What sessions keep: `python -m fuzz memory` sends messages of the largest size in every state.

Each case runs in a process of its own, whose resident memory is compared before and after.
"""

from __future__ import annotations

import multiprocessing
import platform
import resource
from typing import Any, Final

from fuzz.targets import session as sessions
from fuzz.targets.session import Player, Setting
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.session import Session

MESSAGES: Final = 1000
LARGEST: Final = 256 * 1024
BUDGET_MB: Final = 64
"""By how much a session with the default bounds may grow, whatever a peer sends: what waits for the user and
for the peer, what is held in a gap and remembered, and what the allocator keeps of it."""
_ROOM = 400
MANY: Final = "reports of many unknown fields"
SLOW: Final = 20
"""How many times fewer of these are sent: each takes half a second, and ten that were kept would show."""
_KINDS: Final[dict[str, tuple[bytes, bytes, bytes]]] = {
    "Heartbeats with another SenderSubID each": (b"0", b"50=%06d", b""),
    "TestRequests": (b"1", b"", b"112=%06d"),
    "reports of one text": (b"8", b"", b"37=o\x0117=%06d\x0158="),
    MANY: (b"8", b"", b"37=%06d"),
    "orders of unknown fields in the header": (b"D", b"29999=%06d", b""),
}


def _message(kind: str, number: int) -> tuple[bytes, bytes, bytes]:
    """MsgType, header and body of one message of the largest size."""
    msg_type, header, body = _KINDS[kind]
    size = LARGEST - _ROOM
    if kind == MANY:
        piece = b"9999=x\x01"
        return msg_type, b"", body % number + b"\x01" + piece * (size // len(piece))
    if header:
        return msg_type, header % number + b"x" * size + b"\x01", body
    return msg_type, b"", body % number + b"x" * size + b"\x01"


def _grown(setting: Setting, state: str, kind: str, messages: int, *, taken: bool) -> int:
    """Return by how many bytes the process grows, with a user who takes events or one who does not."""
    player = Player(setting)
    base = player.config
    settings: dict[str, Any] = {
        "role": base.role,
        "dialect": DIALECT,
        "codec": Codec(DIALECT),
        "session_type": base.session_type,
        "product": base.product,
        "sender_comp_id": base.sender_comp_id,
        "target_comp_id": base.target_comp_id,
        "sign_logon": base.sign_logon,
        "max_message_size": LARGEST,
    }
    player.config = SessionConfig(**settings)
    player.session = Session(player.config, player.store)
    sessions.STATES[state](player)
    session = player.session
    before = _resident()
    most = before
    if kind == MANY:
        messages = max(messages // SLOW, 1)
    for number in range(messages):
        msg_type, header, body = _message(kind, number)
        player.fed = b""
        try:
            player.peer(msg_type, body, header=header)
        except (LocalProtocolError, AssertionError):
            session.events()
        if taken:
            session.events()
            session.data_to_send()
        if number % 16 == 0 or number == messages - 1:
            most = max(most, _resident())
    return most - before


def _resident() -> int:
    """Bytes of this process that are in memory."""
    if platform.system() == "Linux":
        with open("/proc/self/statm") as file:  # noqa: PTH123 - read often
            return int(file.read().split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else most * 1024


def _case(arguments: tuple[Setting, str, str, int, bool]) -> int:
    setting, state, kind, messages, taken = arguments
    return _grown(setting, state, kind, messages, taken=taken)


def check(messages: int, jobs: int = 2) -> int:
    """Measure every state with every kind of message; print what grows too much, and return how many do."""
    cases = [
        (Setting(role, "KalshiRT"), state, kind, messages, taken)
        for role in Role
        for state in sessions.STATES
        for kind in _KINDS
        for taken in (True, False)
    ]
    # A fork begins with all that is imported.
    context = multiprocessing.get_context("fork" if platform.system() == "Linux" else "spawn")
    with context.Pool(jobs, maxtasksperchild=1) as pool:
        grown = pool.map(_case, cases, chunksize=1)
    failed = 0
    for (setting, state, kind, _, taken), size in zip(cases, grown, strict=True):
        if size > BUDGET_MB * 1024 * 1024:
            failed += 1
            who = "whose user takes events" if taken else "whose user takes no events"
            print(
                f"  TOO MUCH: {size >> 20} MB in an {setting.role.value}, {state}, {who}, by {kind}",
                flush=True,
            )
    print(
        f"memory       {len(cases)} cases of {messages} messages of {LARGEST // 1024} KB, the most "
        f"{max(grown) >> 20} MB of {BUDGET_MB}, {failed} too much"
    )
    return failed
