"""The scenario player fails when it should, reports where and why, and rejects unknown input."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kalshi_fix_sansio.config import Role
from tests.scenarios.runner.numbered_yaml import ScenarioError
from tests.scenarios.runner.parse import load, roles
from tests.scenarios.runner.play import OpenTransport, ScenarioFailed, play
from tests.scenarios.runner.transport import InMemory, Loopback

HEAD = """\
title: A scenario for the runner's tests.
source: the runner
roles: both
start: logged on
"""
TRANSPORTS = pytest.mark.parametrize("transport", [InMemory, Loopback])


def write_scenario(folder: Path, steps: str, head: str = HEAD) -> Path:
    """Write a scenario file with these steps."""
    path = folder / "folder" / "file.yaml"
    path.parent.mkdir()
    path.write_text(f"{head}steps:\n{steps}", "utf-8")
    return path


def parse_error(path: Path) -> str:
    """Return the parser's error for a file."""
    with pytest.raises(ScenarioError) as caught:
        load(path, Role.INITIATOR)
    return str(caught.value)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (
            "  - pear: eof\n",
            "step 1 (line 6): line 6: pear is not known here; use at, chunk_size, events",
        ),
        ("  - at: 1\n  - {}\n", "step 2 (line 7): a step with neither peer nor user must have at"),
        ("  - at: soon\n", "at must be a number of seconds, not soon"),
        ("  - just text\n", "step 1 must be a mapping"),
        ("  - {peer: eof, user: logout}\n", "must not have both peer and user"),
        ("  - peer: sleeps\n", "peer must be one of eof, stops reading, reads again, not sleeps"),
        ("  - peer: {type: Hartbeat}\n", "kalshi has no message Hartbeat"),
        ("  - peer: {seq: 2}\n", "a message must have a type"),
        ("  - peer: {type: Heartbeat, TestReqId: x}\n", "kalshi has no field TestReqId"),
        ("  - peer: {type: Heartbeat, seq: 2, seq: 3}\n", "line 6: seq appears twice"),
        (
            "  - peer: {type: Application, OrderQty: 1.50}\n",
            "the value 1.5 could mean several things; quote it",
        ),
        ("  - peer: {type: Application, Text: no}\n", "the value False could mean several things; quote it"),
        ("  - peer: {type: Application, Text: 2026-08-21}\n", "2026-08-21 reads as a date; quote it"),
        ("  - peer: {type: Application, body: 58=x}\n", "body must end with |"),
        ("  - peer: {type: Heartbeat}\n    chunk_size: 0\n", "chunk_size must be a number of bytes, not 0"),
        ("  - {at: 1, chunk_size: 1}\n", "chunk_size requires peer"),
        ("  - user: dance\n", "user must be one of connect, accept,"),
        ("  - user: send\n", "send must have a message"),
        ("  - user: refuse\n", "refuse requires a text"),
        ("  - user: {connect: now}\n", "connect takes no argument"),
        ("  - {peer: eof, raises: LocalProtocolError}\n", "raises requires user"),
        ("  - {user: logout, raises: Nonsense}\n", "the library has no exception Nonsense"),
        ("  - {at: 1, expect: {type: Heartbeat}}\n", "expect must be a list"),
        (
            "  - {at: 1, expect: [Heartbeat]}\n",
            "a message must be a mapping with type and fields, not 'Heartbeat'",
        ),
        ("  - {at: 1, expect: [{type: Logout, Text: {like: x}}]}\n", "null or {contains: text}"),
        ("  - {at: 1, events: [Surprise]}\n", "Surprise is not an event"),
        (
            "  - {at: 1, events: [LoggedOn: {speed: 3}]}\n",
            "speed is not known here; use flags, generation, heart_bt_int, logon, missing",
        ),
        ("  []\n", "steps must be a list with at least one step"),
        ("  - at: [\n", "not YAML"),
    ],
)
def test_invalid_content_is_reported_with_its_position(tmp_path: Path, steps: str, expected: str) -> None:
    text = parse_error(write_scenario(tmp_path, steps))
    assert text.startswith("folder/file.yaml: ")
    assert expected in text


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("roles: both\n", "", "line 1: roles is missing"),
        ("roles: both", "roles: none", "roles must be initiator, acceptor or both, not none"),
        ("roles: both", "roles: both\ncolour: red", "line 1: colour is not known here"),
        (
            "roles: both",
            "roles: both\nsession: KalshiXY",
            "there is no session type KalshiXY; choose one of KalshiNR",
        ),
        ("roles: both", "roles: both\nsession: FIXT\nproduct: margin", "fix50sp2 has no products"),
        ("roles: both", "roles: both\nsettings: {speed: 3}", "SessionConfig has no setting speed"),
        (
            "roles: both",
            "roles: both\nsettings: {protocol_options: {speed: 3}}",
            "protocol_options must be quickfix, or a mapping of",
        ),
        (
            "roles: both",
            "roles: both\nsettings: {resend_policy: some}",
            "resend_policy must be one of everything",
        ),
        ("roles: both", "roles: both\nnumbers: {next: 3}", "next is not known here; use incoming, outgoing"),
        (
            "roles: both",
            "roles: both\nstore: {size: 3}",
            "size is not known here; use max_age_hours, max_messages",
        ),
        ("start: logged on", "start: late", "start must be one of fresh, logged on, not late"),
        ("tests.\n", "tests\n", "title must be a sentence that ends with a full stop"),
        ("roles: both", "roles: both\nno: 1", "False cannot be a key; quote it if it is a word"),
    ],
)
def test_invalid_head_keys_are_reported(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in HEAD
    assert expected in parse_error(write_scenario(tmp_path, "  - at: 1\n", HEAD.replace(old, new)))


def test_a_file_that_is_not_a_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("- a list\n", "utf-8")
    assert "must be a mapping" in parse_error(path)
    with pytest.raises(ScenarioError, match="must be a mapping"):
        roles(path)


def test_the_roles_of_a_file_are_read(tmp_path: Path) -> None:
    assert roles(write_scenario(tmp_path, "  - at: 1\n")) == (Role.INITIATOR, Role.ACCEPTOR)
    (tmp_path / "one").mkdir()
    path = write_scenario(tmp_path / "one", "  - at: 1\n", HEAD.replace("both", "acceptor"))
    assert roles(path) == (Role.ACCEPTOR,)


@TRANSPORTS
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("  - at: 30\n", "our side also sent Heartbeat("),
        ("  - {at: 29, expect: [{type: Heartbeat}]}\n", "our side did not send Heartbeat()"),
        ("  - {at: 30, expect: [{type: Logout}]}\n", "our side sent Heartbeat("),
        ("  - {at: 30, expect: [{type: Heartbeat, seq: 9}]}\n", ", not Heartbeat(MsgSeqNum=9)"),
        ("  - {at: 30, expect: [{type: Heartbeat, TestReqID: x}]}\n", ", not Heartbeat(TestReqID=x)"),
        (
            "  - {peer: {type: TestRequest, TestReqID: x}, expect: [{type: Heartbeat, TestReqID: null}]}\n",
            ", not Heartbeat(TestReqID=(absent))",
        ),
        (
            "  - {at: 30, expect: [{type: Heartbeat, SendingTime: now-1}]}\n",
            "not Heartbeat(SendingTime=20260821-14:03:36.123)",
        ),
        ("  - {peer: {type: Application}}\n", "the user also received MessageReceived("),
        ("  - {at: 1, events: [GapClosed]}\n", "the user did not receive GapClosed()"),
        (
            "  - {peer: {type: Application}, events: [GapClosed]}\n",
            "the user received MessageReceived(",
        ),
        (
            "  - {peer: {type: Application}, events: [MessageReceived: {poss_dup: true}]}\n",
            "not MessageReceived(poss_dup=True)",
        ),
        (
            "  - {peer: {type: Application}, events: [MessageReceived: {message: {seq: 3, type: Logout}}]}\n",
            "MsgSeqNum=3",
        ),
        ("  - {user: {refuse: x}}\n", "the call raised LocalProtocolError: cannot refuse the logon"),
        (
            "  - {user: logout, raises: LocalProtocolError, expect: [{type: Logout}]}\n",
            "the call did not raise LocalProtocolError",
        ),
        ("  - {at: 5}\n  - {at: 4}\n", "step 2 (line 7): `at` is in the past"),
    ],
)
def test_a_failing_scenario_reports_its_step(
    tmp_path: Path, transport: OpenTransport, role: Role, steps: str, expected: str
) -> None:
    scenario = load(write_scenario(tmp_path, steps), role)
    with pytest.raises(ScenarioFailed) as caught:
        play(scenario, transport)
    text = str(caught.value)
    assert text.startswith(f"folder/file.yaml, {role.value}, step ")
    assert expected in text
    assert "A scenario for the runner's tests." in text


@TRANSPORTS
def test_a_scenario_needs_a_connection(tmp_path: Path, transport: OpenTransport) -> None:
    head = HEAD.replace("start: logged on\n", "")
    scenario = load(write_scenario(tmp_path, "  - peer: {type: Heartbeat}\n", head), Role.ACCEPTOR)
    with pytest.raises(ScenarioFailed, match="the user has not connected yet"):
        play(scenario, transport)


@TRANSPORTS
def test_a_failed_logon_before_the_first_step_is_reported(tmp_path: Path, transport: OpenTransport) -> None:
    head = HEAD + "settings: {heart_bt_int: 1}\nnumbers: {incoming: 0}\n"
    with pytest.raises(ValueError, match="sequence numbers must be 1 or more"):
        play(load(write_scenario(tmp_path, "  - at: 1\n", head), Role.INITIATOR), transport)


def test_no_thread_outlives_its_scenario(tmp_path: Path) -> None:
    before = threading.active_count()
    scenario = load(write_scenario(tmp_path, "  - {at: 30, expect: [{type: Heartbeat}]}\n"), Role.INITIATOR)
    play(scenario, Loopback)
    assert threading.active_count() == before
