"""What broke a promise once, in the terms of the target that looks for it."""

from __future__ import annotations

from fuzz.targets import encode, framing, log_reader, secrets, session, store
from fuzz.targets.session import Player, Setting
from fuzz.wire import KALSHI
from kalshi_fix_sansio import MarketDataIncrementalRefresh, NewOrderSingle
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.framing import Frame, byte_sum, encode_frame
from tests import samples

HEADER = samples.minimal(KALSHI.dialect.header)


def order(**changes: object) -> NewOrderSingle:
    values = {"cl_ord_id": "a", "symbol": "M", "side": "1", "order_qty": 1, "ord_type": "2", "price": "0.5"}
    return NewOrderSingle(**(values | changes))  # type: ignore[arg-type]


def test_a_length_among_unknown_fields_that_lies_swallows_nothing() -> None:
    assert encode.hold(KALSHI, order(unknown=((95, b"10"), (96, b"abc"))), HEADER) is None
    assert encode.hold(KALSHI, order(unknown=((95, b"3"), (96, b"abc"))), HEADER) is not None


def test_unknown_fields_of_an_update_without_entries_are_not_read_as_one() -> None:
    update = MarketDataIncrementalRefresh(md_entries=[], unknown=((269, b"7"),))
    assert encode.hold(KALSHI, update, HEADER) is not None


def test_a_check_sum_that_no_soh_precedes_ends_no_message() -> None:
    wrong = b"8=FIXT.1.1\x019=12\x0135=0\x0134=2\x0177"
    wrong += b"10=%03d\x01" % (byte_sum(wrong) & 0xFF)
    good = encode_frame("FIXT.1.1", b"35=0\x0134=2\x017\x01")
    assert framing.hold(wrong + good, [1], [good])[-1] == Frame(good)


def test_a_long_text_of_separators_and_a_message_without_end_are_read_whole() -> None:
    text = b"8=FIXT.1.1|35=0|58=x" + b"|" * 500 + b"|10=000|\n"
    assert len(log_reader.hold(text + b"8=FIXT.1.1|35=0|58=x" + b"y" * 5000, [7])) == 2


def test_a_new_password_is_no_more_shown_than_a_password() -> None:
    head = b"35=A\x0149=a\x0156=b\x0134=1\x0152=20260821-14:03:07\x0198=0\x01108=30\x01"
    for field in (b"925=", b"1401=9\x011402=", b"1403=9\x011404=", b"554="):
        secrets.hold(encode_frame("FIXT.1.1", head + field + secrets.SECRET + b"\x011137=9\x01"), [9, 40])


def test_a_changed_bit_in_the_log_of_a_store_takes_no_numbers_back() -> None:
    files, truth = store.IMAGES[1]
    log = bytearray(files["-wal"])
    log[32 + 24 + 100] ^= 1
    assert store.hold({**files, "-wal": bytes(log)}, truth)


def established(name: str = "KalshiRT") -> Player:
    player = Player(Setting(Role.INITIATOR, name))
    session.log_on(player)
    return player


def test_a_message_with_an_old_time_is_delivered_when_it_comes_again() -> None:
    player = established()
    session.STATES["new"](player)
    player.peer(b"8", b"37=o\x01", t52=b"20260821-14:00:00.000")
    player.take()
    player.account()
    assert player.session.next_incoming == 2
    player.again(restart=False)
    player.peer_number = 3
    session.log_on(player)
    player.peer(b"8", b"37=o\x01", number=2, header=b"43=Y\x01122=20260821-14:00:00\x01")
    player.take()
    player.account()
    (received,) = [event for event in player.told if isinstance(event, MessageReceived)]
    assert received.message.header.msg_seq_num == 2
    assert player.session.next_incoming == 4


def test_numbers_that_are_used_up_raise_nothing() -> None:
    player = established()
    player.peer(b"4", b"36=999999999999999999\x01")
    player.peer(b"8", b"37=o\x01", number=999999999999999999)
    player.take()
    player.again(restart=False)
    session.log_on(player)
    player.account()
