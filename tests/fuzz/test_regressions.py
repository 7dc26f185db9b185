"""Inputs of fuzz targets that once violated an invariant; each test checks that its input no longer does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fuzz.cost import components
from fuzz.targets import decode, diff, encode, framing, log_reader, secrets, session, spec, store
from fuzz.targets.session import Player, Setting
from fuzz.wire import KALSHI, fields_of, join_fields
from kalshi_fix_sansio import MarketDataIncrementalRefresh, Quote, QuoteCancel
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, MessageTooLarge, SessionEnded
from kalshi_fix_sansio.framing import Frame, byte_sum, encode_frame
from tests import samples
from tests.helpers import order

HEADER = samples.minimal(KALSHI.dialect.header)


def template(msg_type: bytes) -> Any:
    return next(each for each in KALSHI.templates if each[0] == (b"35", msg_type))


def test_a_wrong_length_among_unknown_fields_hides_no_other_field() -> None:
    assert encode.check_invariant(KALSHI, order(unknown=((95, b"10"), (96, b"abc"))), HEADER) is None
    assert encode.check_invariant(KALSHI, order(unknown=((95, b"3"), (96, b"abc"))), HEADER) is not None


def test_unknown_fields_of_an_update_without_entries_are_not_read_as_an_entry() -> None:
    update = MarketDataIncrementalRefresh(md_entries=[], unknown=((269, b"7"),))
    assert encode.check_invariant(KALSHI, update, HEADER) is not None


def test_group_tags_repeated_in_a_text_are_not_read_as_entries() -> None:
    fields = template(b"8")
    report = [field for field in fields if field[0] not in (b"453", b"448", b"447", b"452", b"58")]
    parties = [(b"453", b"5"), *[(b"448", b"a"), (b"452", b"24")] * 5]
    known = [join_fields([*report, (b"58", b"x"), *parties])] * 3
    decode.check_invariant(
        KALSHI, [*known, join_fields([*report, (b"58", b"448=" * 4000), *parties])], warm=False
    )


def test_a_check_sum_without_a_preceding_soh_does_not_end_a_message() -> None:
    wrong = b"8=FIXT.1.1\x019=12\x0135=0\x0134=2\x0177"
    wrong += b"10=%03d\x01" % (byte_sum(wrong) & 0xFF)
    good = encode_frame("FIXT.1.1", b"35=0\x0134=2\x017\x01")
    assert framing.check_invariant(wrong + good, [1], [good])[-1] == Frame(good)


def test_a_text_of_separators_and_a_message_without_an_end_are_read_completely() -> None:
    text = b"8=FIXT.1.1|35=0|58=x" + b"|" * 500 + b"|10=000|\n"
    assert len(log_reader.check_invariant(text + b"8=FIXT.1.1|35=0|58=x" + b"y" * 5000, [7])) == 2


def test_an_soh_among_other_separators_is_data_however_the_log_is_split() -> None:
    head, _, check_sum = join_fields(template(b"0")).rpartition(b"\x0110=")
    log = head.replace(b"\x01", b"|") + b"\x0110=" + check_sum.replace(b"\x01", b"|") + b"\n34=7|\n"
    assert len(log_reader.check_invariant(log, [1])) == 1


def test_a_number_with_leading_zeros_is_shown_as_the_number() -> None:
    message = join_fields([(tag, b"007" if tag == b"34" else text) for tag, text in template(b"0")])
    assert len(log_reader.check_invariant(message.replace(b"\x01", b"|") + b"\n", [7])) == 1


def test_a_new_password_is_hidden_like_a_password() -> None:
    head = b"35=A\x0149=a\x0156=b\x0134=1\x0152=20260821-14:03:07\x0198=0\x01108=30\x01"
    for field in (b"925=", b"1401=9\x011402=", b"1403=9\x011404=", b"554="):
        secrets.check_invariant(
            encode_frame("FIXT.1.1", head + field + secrets.SECRET + b"\x011137=9\x01"), [9, 40]
        )


def test_a_flipped_bit_in_a_store_log_does_not_lower_sequence_numbers() -> None:
    files, truth = store.IMAGES[1]
    log = bytearray(files["-wal"])
    log[32 + 24 + 100] ^= 1
    assert store.check_invariant({**files, "-wal": bytes(log)}, truth)


DOUBLING = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 64))


@pytest.mark.parametrize(
    "text",
    [DOUBLING, "a: " + "9" * 5000, "[" * 5000, "{a: " * 5000],
    ids=["doubling", "digits", "lists", "maps"],
)
def test_a_spec_file_that_needs_unbounded_time_or_memory_is_refused(text: str) -> None:
    spec.check_invariant(Path("fields.yaml"), text.encode(), whole=False)


def test_dictionaries_with_doubling_components_or_unbounded_digits_or_depth_are_refused() -> None:
    assert diff.check_invariant(components(24), is_page=False)
    diff.check_invariant(
        f'<fix><fields><field number="{"9" * 5000}" name="F" type="INT"/></fields></fix>', is_page=False
    )
    diff.check_invariant("<fix>" + "<messages>" * 5000, is_page=False)


def established(name: str = "KalshiRT", *, explicit_confirm: bool = False) -> Player:
    player = Player(Setting(Role.INITIATOR, name, explicit_confirm=explicit_confirm))
    session.log_on(player)
    return player


def delivered(player: Player) -> list[int]:
    player.take()
    player.check_reported()
    return [event.message.header.msg_seq_num for event in player.events if isinstance(event, MessageReceived)]


def test_a_message_with_an_old_time_is_delivered_when_it_is_resent() -> None:
    player = established()
    player.receive(b"8", b"37=o\x01", t52=b"20260821-14:00:00.000")
    assert delivered(player) == []
    assert player.session.next_incoming == 2
    player.reconnect(restart=False)
    player.peer_number = 3
    session.log_on(player)
    player.receive(b"8", b"37=o\x01", number=2, header=b"43=Y\x01122=20260821-14:00:00\x01")
    assert delivered(player) == [2]
    assert player.session.next_incoming == 4


def test_exhausted_sequence_numbers_do_not_raise() -> None:
    player = established()
    player.receive(b"4", b"36=999999999999999999\x01")
    player.receive(b"8", b"37=o\x01", number=999999999999999999)
    player.take()
    player.reconnect(restart=False)
    session.log_on(player)
    player.check_reported()


def test_a_possible_duplicate_with_its_first_sending_time_is_delivered() -> None:
    player = established()
    old = b"20260821-14:00:00"
    player.receive(b"8", b"37=o\x01", header=b"43=Y\x01122=" + old + b"\x01", t52=old)
    assert delivered(player) == [2]


def test_a_session_without_resend_delivers_a_message_with_an_old_time_before_it_ends() -> None:
    player = established("KalshiNR")
    player.receive(b"8", b"37=o\x01", t52=b"20260821-14:00:00.000")
    assert delivered(player) == [2]
    assert isinstance(player.events[-1], SessionEnded)


@pytest.mark.parametrize("clock", ["both", "monotonic"])
def test_messages_received_while_the_caller_was_suspended_are_delivered(clock: str) -> None:
    player = established()
    sent = session._stamp(player.utc)
    player.monotonic += 33
    player.utc += timedelta(seconds=33 if clock == "both" else 0)
    player.receive(b"8", b"37=o\x01", t52=sent)
    assert delivered(player) == [2]


def test_sequence_numbers_continue_from_the_logon_after_a_lost_reset() -> None:
    player = Player(Setting(Role.ACCEPTOR, "KalshiRT"))
    session.log_on(player)
    player.call(lambda: player.session.reset(player.now))
    player.reconnect(restart=False)
    session.connect(player)
    player.logon(number=10)
    player.call(lambda: player.session.accept_logon(player.now))
    player.receive(b"8", b"37=o\x01", number=11)
    assert delivered(player) == [11]
    player.logon(b"141=Y\x01", number=1)
    delivered(player)
    assert [event.reset for event in player.events if isinstance(event, LoggedOn)] == [True]


def test_the_event_for_a_message_that_is_too_large_has_its_type() -> None:
    player = established("KalshiMD")
    player.receive(b"W", b"55=" + b"x" * session.MAX_MESSAGE_SIZE + b"\x01")
    player.take()
    (reported,) = [event for event in player.events if isinstance(event, MessageTooLarge)]
    assert (reported.limit, reported.msg_type) == (session.MAX_MESSAGE_SIZE, "W")


def test_a_quote_and_its_cancel_with_the_same_id_are_two_open_requests() -> None:
    player = established("KalshiRFQ")
    for message in (
        Quote(quote_id="a", quote_req_id="r", symbol="M", bid_px="0.5", offer_px="0.6"),
        QuoteCancel(quote_id="a"),
    ):
        player.session.send(message, player.now)
    player.take()
    assert [each.msg_type for each in player.session.store.open_requests()] == ["S", "Z"]


def test_two_orders_with_the_same_id_are_two_open_requests() -> None:
    player = established()
    for _ in range(2):
        player.session.send(order(), player.now)
    player.take()
    assert len(player.session.store.open_requests()) == 2


def test_open_requests_with_unconfirmed_answers_are_bounded() -> None:
    player = established(explicit_confirm=True)
    for number in range(player.config.max_open_requests + 1):
        player.session.send(order(cl_ord_id=f"a{number}"), player.now)
        player.receive(b"8", b"37=o%d\x0111=a%d\x01150=0\x0139=0\x01" % (number, number))
        player.take()
    with pytest.raises(LocalProtocolError, match="not confirmed"):
        player.session.send(order(cl_ord_id="b"), player.now)
    player.take()


@pytest.mark.parametrize(
    ("name", "value"),
    [*(("price", text) for text in ("-1", "0", "55", "0.12345")), ("order_qty", -5), ("order_qty", "0")],
)
def test_prices_and_quantities_that_no_market_accepts_are_not_sent(name: str, value: Any) -> None:
    player = established()
    with pytest.raises(LocalProtocolError):
        player.session.send(order(**{name: value}), player.now)
    player.take()
    assert player.session_number == 2


def test_a_body_whose_price_would_be_read_as_data_is_not_forwarded() -> None:
    player = established()
    fields = fields_of(KALSHI.codec.encode(order(), HEADER))
    at = fields.index((b"44", b"0.75"))
    hostile = [*fields[:at], (b"95", b"10"), (b"43", b"N"), (b"96", b"abc"), *fields[at:]]
    with pytest.raises(LocalProtocolError):
        player.forward(join_fields(hostile))
    player.take()
    assert player.session_number == 2
