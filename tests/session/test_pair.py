"""Two connected sessions: bytes split anywhere, a long resend, signatures, resets, hostile bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import Event, GapClosed, LoggedOn, OutcomesUnknown, Uncertainty
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.signing import Signer, verify_logon
from tests.helpers import Pair, delivered, established, of_type, order, pair
from tests.samples import cancel_reject, execution_report


def play_short_session(both: Pair) -> list[list[Event]]:
    """Play a short session; return the events of both sides."""
    both.connect()
    both.client.send(order("a1"), both.clock.now)
    both.venue.send(cancel_reject("a1"), both.clock.now)
    both.settle()
    both.client.test_request(both.clock.now)
    both.advance(31)
    both.client.logout(both.clock.now)
    both.settle()
    return [both.client_events, both.venue_events]


def test_splitting_the_bytes_at_any_position_makes_no_difference() -> None:
    unsplit = play_short_session(pair())
    for position in range(1, 260):
        both = pair()
        both.transform = lambda data, at=position: [data[:at], data[at:]]  # type: ignore[misc]
        assert play_short_session(both) == unsplit


def test_thousands_of_messages_are_resent_in_order() -> None:
    stores = MemoryStore(), MemoryStore()
    both = pair(client_store=stores[0], venue_store=stores[1])
    both.connect()
    for index in range(4_000):
        both.venue.send(cancel_reject(f"r{index}"), both.clock.now)
        both.venue.data_to_send()
    both.advance(0.5, 0.5)
    again = pair(client_store=stores[0], venue_store=stores[1], client={"max_held": 10})
    again.connect()
    while not of_type(again.client_events, GapClosed):
        again.advance(1)
    assert delivered(again.client_events) == list(range(2, 4_002))


def test_a_signed_logon_is_verified_by_the_other_side(rsa_signer: Signer, ed25519_signer: Signer) -> None:
    for signer in (rsa_signer, ed25519_signer):
        both = pair("KalshiNR", client={"sign_logon": signer.sign_logon})
        both.venue.connect(both.clock.now)
        both.client.connect(both.clock.now)
        both.venue.receive_data(both.client.data_to_send(), both.clock.now)
        (request,) = both.venue.events()
        assert verify_logon(signer.verifier, request)  # type: ignore[arg-type]
        other = ed25519_signer if signer is rsa_signer else rsa_signer
        assert not verify_logon(other.verifier, request)  # type: ignore[arg-type]


def test_an_unreported_reset_is_reported_by_the_next_process() -> None:
    stores = MemoryStore(), MemoryStore()
    both = pair(client_store=stores[0], venue_store=stores[1], client={"explicit_confirm": True})
    both.connect()
    both.client.confirm()
    both.venue.reset(both.clock.now)
    both.settle()
    assert [event.reset for event in of_type(both.client_events, LoggedOn)] == [False, True]
    for expected in (True, False):
        again = pair(client_store=stores[0], venue_store=stores[1])
        again.connect()
        assert [event.reset for event in of_type(again.client_events, LoggedOn)] == [expected]
        again.client.events()


def test_an_answer_lost_through_a_reset_and_a_crash_is_reported_as_missing() -> None:
    stores = MemoryStore(), MemoryStore()
    both = pair(client_store=stores[0], venue_store=stores[1], client={"explicit_confirm": True})
    both.connect()
    both.client.send(order("a1"), both.clock.now)
    both.settle()
    both.venue.send(execution_report("a1"), both.clock.now)
    both.settle()
    both.client.reset(both.clock.now)
    both.settle()
    assert not of_type(both.client_events, OutcomesUnknown)
    again = pair(client_store=stores[0], venue_store=stores[1])
    again.connect()
    (unknown,) = of_type(again.client_events, OutcomesUnknown)
    assert (unknown.request_ids, unknown.why) == (("a1",), Uncertainty.RESTARTED)


MSG_TYPES = ("0", "1", "2", "4", "5", "9", "D", "A", "3", "j")


@pytest.mark.parametrize("role", Role)
@settings(max_examples=150)
@given(data=st.data())
def test_no_random_or_damaged_messages_make_a_session_raise(role: Role, data: st.DataObject) -> None:
    wired = established(role, strict=data.draw(st.booleans()))
    stream = bytearray()
    for msg_type in data.draw(st.lists(st.sampled_from(MSG_TYPES), max_size=5)):
        tags = st.sampled_from(["7", "16", "36", "123", "112", "45", "58", "98", "108", "141", "43", "122"])
        values = st.sampled_from(["1", "Y", "0", "-1", "", "x", "99999999999999999", "20260821-14:03:07"])
        fields = data.draw(st.lists(st.tuples(tags, values), max_size=5))
        stream += wired.peer.message(msg_type, "".join(f"{tag}={value}|" for tag, value in fields))
    for position, value in data.draw(
        st.lists(st.tuples(st.integers(0, max(len(stream) - 1, 0)), st.integers(0, 255)), max_size=4)
    ):
        if stream:
            stream[position] = value
    wired.receive(bytes(stream))
    wired.wait(36)
    wired.wait(36)
    assert wired.session.next_incoming >= 1


@settings(max_examples=100)
@given(noise=st.binary(max_size=300))
@pytest.mark.parametrize("role", Role)
def test_no_random_bytes_make_a_session_raise(role: Role, noise: bytes) -> None:
    wired = established(role)
    wired.receive(noise)
    assert wired.session.is_established
    assert wired.session.next_incoming == 2
