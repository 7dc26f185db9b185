"""Session behaviour where FIXT 1.1 leaves a choice: the default and each alternative."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import QUICKFIX, QUICKFIXJ, ProtocolOptions, Role
from kalshi_fix_sansio.events import CloseReason, SessionEnded
from tests.helpers import LOGON, connected, established, of_type, one


@pytest.mark.parametrize(
    ("protocol_options", "malformed_answered", "unacceptable_answered"),
    [(ProtocolOptions(), True, True), (QUICKFIX, False, False), (QUICKFIXJ, False, True)],
)
def test_malformed_and_unacceptable_logons_are_distinguished(
    protocol_options: ProtocolOptions, malformed_answered: bool, unacceptable_answered: bool
) -> None:
    cases: list[tuple[str, dict[str, str], bool]] = [
        ("98=0|108=30|96=eA==|", {}, malformed_answered),
        (LOGON, {"t52": "20260821-13:00:00"}, malformed_answered),
        ("98=0|108=-10|96=eA==|1137=9|", {}, unacceptable_answered),
        ("98=0|108=30|96=eA==|1137=33|", {}, unacceptable_answered),
    ]
    for body, header, answered in cases:
        wired = connected(Role.ACCEPTOR, strict=True, protocol_options=protocol_options)
        ended = one(wired.receive(wired.peer.logon(body, **header)), SessionEnded)
        assert ended.reason is CloseReason.LOGON_REFUSED
        assert [(m.NAME, m.text) for m in wired.sent()] == ([("Logout", ended.text)] if answered else [])


def with_short_body_length(message: bytes) -> bytes:
    """Return the message with a BodyLength that is too small."""
    begin, _, rest = message.split(b"\x01", 2)
    return b"%b\x019=40\x01%b" % (begin, rest)


@pytest.mark.parametrize("ends_connection", [False, True])
@pytest.mark.parametrize("damage", ["length", "checksum"])
def test_garbage_instead_of_a_logon_is_skipped_or_ends_the_connection(
    role: Role, ends_connection: bool, damage: str
) -> None:
    wired = connected(role, protocol_options=ProtocolOptions(end_on_garbage_before_logon=ends_connection))
    wired.sent()
    logon = wired.peer.logon(number=1)
    garbage = with_short_body_length(logon) if damage == "length" else logon[:-4] + b"abc\x01"
    events = wired.receive(garbage)
    if not ends_connection:
        assert of_type(events, SessionEnded) == []
        assert of_type(wired.receive(logon), SessionEnded) == []
        return
    ended = events[-1]
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.text) == (
        CloseReason.PROTOCOL_ERROR,
        "the bytes received instead of a Logon are not a message",
    )
    assert wired.sent() == []


@pytest.mark.parametrize(("skip_by_check_sum", "expected"), [(False, 3), (True, 2)])
def test_the_handling_of_a_message_with_a_wrong_length_is_configurable(
    role: Role, skip_by_check_sum: bool, expected: int
) -> None:
    wired = established(role, protocol_options=ProtocolOptions(skip_by_check_sum=skip_by_check_sum))
    right = wired.peer.message("0", number=2)
    length = len(right.split(b"\x01", 2)[2]) - len("10=000|")
    reaching_into_the_next = right.replace(b"\x019=%d" % length, b"\x019=%d" % (length + 30), 1)
    assert reaching_into_the_next != right
    wired.receive(reaching_into_the_next, right)
    assert wired.session.next_incoming == expected
