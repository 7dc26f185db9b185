"""The transition table, and a check that no sequence of inputs makes the session deviate from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio.config import QUICKFIX, ProtocolOptions, Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import Event, LoggedOn, SessionEnded
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.session import TRANSITIONS, Input, Source, State
from kalshi_fix_sansio.session.timers import DEADLINES_BY_STATE
from tests.helpers import CANCEL_REJECT, DUP, LOGON, Wired, of_type, order, wire


def test_the_table_has_an_answer_for_every_state_and_input() -> None:
    assert set(TRANSITIONS) == set(DEADLINES_BY_STATE) == set(State)
    for state, row in TRANSITIONS.items():
        assert set(row) == set(Input)
        for item, target in row.items():
            if target is None:
                assert item.source is Source.CALLER or state is State.DISCONNECTED
            assert isinstance(target, State | None)


def test_only_the_final_state_has_no_exit() -> None:
    for state, row in TRANSITIONS.items():
        targets = {target for target in row.values() if target is not None}
        assert State.CLOSED in targets
        assert (targets == {State.CLOSED}) == (state is State.CLOSED)


def test_every_state_is_reachable_from_the_first() -> None:
    seen = {State.DISCONNECTED}
    for _ in State:
        seen |= {target for state in seen for target in TRANSITIONS[state].values() if target is not None}
    assert seen == set(State)


def test_every_waiting_state_has_a_deadline() -> None:
    for state in State:
        assert bool(DEADLINES_BY_STATE[state]) == (state not in {State.DISCONNECTED, State.CLOSED})


Action = Callable[[Wired], object]
NO_HEADER: Mapping[str, str] = {}


def receive(msg_type: str, body: str = "", ahead: int = 0, header: Mapping[str, str] = NO_HEADER) -> Action:
    def act(wired: Wired) -> None:
        number = max(wired.session.next_incoming + ahead, 0)
        wired.session.receive_data(wired.peer.message(msg_type, body, number, **header), wired.clock.now)

    return act


def wait(seconds: float) -> Action:
    def act(wired: Wired) -> None:
        wired.session.handle_timer(wired.clock.advance(seconds))

    return act


PEER_ACTIONS: dict[str, Action] = {
    "logon": receive("A", LOGON),
    "logon with reset": lambda w: w.session.receive_data(w.peer.logon(LOGON + "141=Y|", 1), w.clock.now),
    "logon with a wrong reset": receive("A", LOGON + "141=Y|", 3),
    "logon ahead": receive("A", LOGON, 3),
    "logon behind": receive("A", LOGON, -1),
    "empty logon": receive("A"),
    "message": receive("9", CANCEL_REJECT),
    "message ahead": receive("9", CANCEL_REJECT, 2),
    "message behind": receive("9", CANCEL_REJECT, -1),
    "message again": receive("9", CANCEL_REJECT, -1, DUP),
    "message again ahead": receive("9", CANCEL_REJECT, 1, DUP),
    "malformed message": receive("9", "434=|9999=x|11=a|11=b|"),
    "heartbeat": receive("0"),
    "heartbeat ahead": receive("0", "", 1),
    "test request": receive("1", "112=x|"),
    "test request ahead": receive("1", "112=x|", 1),
    "empty test request": receive("1"),
    "resend request": receive("2", "7=1|16=0|"),
    "resend request ahead": receive("2", "7=1|16=0|", 4),
    "empty resend request": receive("2"),
    "huge resend request": receive("2", "7=999999999|16=999999999999|"),
    "gap fill": lambda w: receive("4", f"123=Y|36={w.session.next_incoming + 2}|", header=DUP)(w),
    "gap fill ahead": lambda w: receive("4", f"123=Y|36={w.session.next_incoming + 9}|", 1)(w),
    "gap fill with a low number": receive("4", "123=Y|36=1|"),
    "reset": lambda w: receive("4", f"36={w.session.next_incoming + 5}|")(w),
    "reset backwards": receive("4", "36=0|"),
    "empty reset": receive("4"),
    "reject": receive("3", "45=2|58=no|"),
    "empty reject": receive("3"),
    "business reject": receive("j", "45=2|380=0|"),
    "logout": receive("5", "58=bye|"),
    "logout ahead": receive("5", "", 3),
    "logout behind": receive("5", "", -1),
    "unknown type": receive("ZZ", "1=2|"),
    "empty type": receive("", "112=x|"),
    "odd type": receive("\xe9|", "9999=\x00|"),
    "no number": receive("0", header={"t34": "-"}),
    "foreign sender": receive("0", header={"t49": "Mallory"}),
    "foreign target": receive("0", header={"t56": "Mallory"}),
    "no header": lambda w: w.session.receive_data(encode_frame("FIXT.1.1", b"35=0\x01"), w.clock.now),
    "no type": lambda w: w.session.receive_data(encode_frame("FIXT.1.1", b"34=0\x01"), w.clock.now),
    "old message": receive("0", header={"t52": "20200101-00:00:00"}),
    "no sending time": receive("0", header={"t52": "-"}),
    "other version": lambda w: w.session.receive_data(encode_frame("FIX.4.2", b"35=0\x01"), w.clock.now),
    "noise": lambda w: w.session.receive_data(b"8=FIXT.1.1\x019=noise", w.clock.now),
    "half a message": lambda w: w.session.receive_data(w.peer.message("0", "", 5)[:50], w.clock.now),
    "end of file": lambda w: w.session.receive_eof(w.clock.now),
}
CALLER_ACTIONS: dict[str, Action] = {
    "connect": lambda w: w.session.connect(w.clock.now),
    "accept": lambda w: w.session.accept_logon(w.clock.now),
    "refuse": lambda w: w.session.refuse_logon("no", w.clock.now),
    "send": lambda w: w.session.send(order(), w.clock.now),
    "send test request": lambda w: w.session.test_request(w.clock.now),
    "reset numbers": lambda w: w.session.reset(w.clock.now),
    "log out": lambda w: w.session.logout(w.clock.now, text="enough"),
    "abort": lambda w: w.session.abort("enough", w.clock.now),
}
TIMER_ACTIONS: dict[str, Action] = {f"wait {s}": wait(s) for s in (0, 5, 10, 30, 36, 1000)}
ACTIONS = {**PEER_ACTIONS, **CALLER_ACTIONS, **TIMER_ACTIONS}


def snapshot(wired: Wired) -> tuple[object, ...]:
    session = wired.session
    return session.state, session.next_outgoing, session.next_incoming, len(session._core.outbound.buffer)


def perform(wired: Wired, name: str) -> None:
    """Perform one input and check the invariants that hold after every input."""
    before = snapshot(wired)
    session = wired.session
    try:
        ACTIONS[name](wired)
    except LocalProtocolError:
        assert name in CALLER_ACTIONS or before[0] is State.DISCONNECTED, name
        assert snapshot(wired) == before
    assert session.next_outgoing >= 1
    assert session.next_incoming >= 1
    assert session.wants_close == (session.state is State.CLOSED)
    assert session.is_established == (session.state in {State.ESTABLISHED, State.RECOVERING})
    waiting = session.state not in {State.DISCONNECTED, State.CLOSED}
    assert (session.next_deadline() is not None) == waiting


PATHS: dict[State, dict[Role, list[str]]] = {
    State.DISCONNECTED: {role: [] for role in Role},
    State.AWAITING_LOGON: {Role.ACCEPTOR: ["connect"]},
    State.LOGON_RECEIVED: {Role.ACCEPTOR: ["connect", "logon"]},
    State.LOGON_SENT: {Role.INITIATOR: ["connect"]},
    State.ESTABLISHED: {
        Role.INITIATOR: ["connect", "logon"],
        Role.ACCEPTOR: ["connect", "logon", "accept"],
    },
}
for state, last in (
    (State.RECOVERING, "message ahead"),
    (State.RESETTING, "reset numbers"),
    (State.LOGOUT_SENT, "log out"),
    (State.ENDING, "no number"),
    (State.CLOSED, "abort"),
):
    PATHS[state] = {role: [*path, last] for role, path in PATHS[State.ESTABLISHED].items()}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("state", "role"), [(state, role) for state, paths in PATHS.items() for role in paths]
)
@pytest.mark.parametrize("name", ACTIONS)
def test_every_input_in_every_state_has_an_outcome(state: State, role: Role, name: str, strict: bool) -> None:
    wired = wire(
        role, strict=strict, protocol_options=QUICKFIX if state is State.ENDING else ProtocolOptions()
    )
    for step in PATHS[state][role]:
        ACTIONS[step](wired)
    assert wired.session.state is state
    perform(wired, name)


@pytest.mark.parametrize("name", ["KalshiRT", "KalshiNR"])
@pytest.mark.parametrize("role", Role)
@settings(max_examples=150)
@given(data=st.data())
def test_any_sequence_of_inputs_ends_the_session_at_most_once_and_a_silent_peer_ends_it(
    name: str, role: Role, data: st.DataObject
) -> None:
    strict = data.draw(st.booleans())
    options = data.draw(st.sampled_from([ProtocolOptions(), QUICKFIX]))
    wired = wire(role, name, strict=strict, protocol_options=options, max_held=3, max_events=1000)
    start = data.draw(st.sampled_from([path[role] for path in PATHS.values() if role in path]))
    steps = data.draw(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=25))
    events: list[Event] = []
    for step in [*start, *steps]:
        perform(wired, step)
        fresh = wired.session.events()
        assert not of_type(events, SessionEnded) or not fresh
        events += fresh
    for _ in range(20):
        if wired.session.state in {State.DISCONNECTED, State.CLOSED}:
            break
        deadline = wired.session.next_deadline()
        assert deadline is not None
        wired.session.handle_timer(wired.clock.advance(max(deadline - wired.clock.monotonic, 0.001)))
        wired.session.data_to_send()
    # The session gives up on a silent peer in a bounded number of steps.
    assert wired.session.state in {State.DISCONNECTED, State.CLOSED}
    events += wired.session.events()
    ended = of_type(events, SessionEnded)
    assert len(ended) == (wired.session.state is State.CLOSED)
    assert len(of_type(events, LoggedOn)) <= 1 + sum("reset" in step for step in [*start, *steps])
