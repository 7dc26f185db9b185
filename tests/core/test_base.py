"""Blocks and messages: their repr, equality and attributes."""

from __future__ import annotations

from decimal import Decimal

from kalshi_fix_sansio.dialect.base import MAX_ENTRIES_SHOWN, UnknownMessage
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from tests.tiny_dialect import SENDING_TIME, Book, Entry, Logon, Order, Party, Side, header


def test_a_repr_shows_set_attributes_with_units() -> None:
    order = Order(
        cl_ord_id="a-1",
        order_qty="10.00",
        price=Decimal("1E+1"),
        side="1",
        expire_time=SENDING_TIME,
        party_ids=[Party(party_id="p", party_role=35), Party(party_id="q", party_role=99)],
        encoded_text=b"x\x01",
    )
    assert repr(order) == (
        "Order(cl_ord_id='a-1', order_qty=10.00 contracts, price=10, side=Side.BUY, "
        "expire_time=2026-08-01 12:30:15.123000+00:00, encoded_text=b'x\\x01', "
        "party_ids=[Party(party_id='p', party_role=Role.MAKER), Party(party_id='q', party_role=99)])"
    )


def test_a_repr_hides_secrets() -> None:
    logon = Logon(raw_data=b"signature", password="sesame", new_flag=False)
    assert repr(logon) == "Logon(raw_data=<hidden>, new_flag=False, password=<hidden>)"


def test_a_repr_counts_unknown_fields_and_lists_problems() -> None:
    order = Order(cl_ord_id="a", order_qty=1, unknown=((9001, b"secret?"),))
    assert repr(order) == "Order(cl_ord_id='a', order_qty=1 contracts, unknown=<1 field>)"
    order.problems = (Problem(Reason.OTHER, "too bad"), Problem(Reason.OTHER, "again"))
    assert repr(order).endswith("unknown=<1 field>, problems=<too bad; again>)")


def test_a_repr_of_a_long_group_is_truncated() -> None:
    entries = [Entry(md_entry_type=Side.BUY, md_entry_px=number) for number in range(MAX_ENTRIES_SHOWN + 3)]
    shown = repr(Book(symbol="KX", md_entries=entries))
    assert shown.count("Entry(") == MAX_ENTRIES_SHOWN
    assert shown.endswith(f"md_entry_px={MAX_ENTRIES_SHOWN - 1} dollars), ... 3 more])")


def test_unknown_fields_are_found_by_tag() -> None:
    order = Order(cl_ord_id="a", order_qty=1, unknown=[(9001, b"x"), (9002, b"y"), (9001, b"z")])
    assert order.unknown == ((9001, b"x"), (9002, b"y"), (9001, b"z"))
    assert order.get_unknown(9001) == b"x"
    assert order.get_unknown(9003) is None


def test_header_trailer_and_problems_do_not_affect_equality() -> None:
    first = Order(cl_ord_id="a", order_qty="10.00", header=header("D"))
    second = Order(cl_ord_id="a", order_qty=10, problems=(Problem(Reason.OTHER, "x"),))
    assert first == second
    assert first != Order(cl_ord_id="a", order_qty=10, unknown=((9001, b"x"),))


def test_the_repr_of_an_unknown_message_has_its_type_and_number_of_fields() -> None:
    message = UnknownMessage(msg_type="ZZ", unknown=((1, b"a"), (2, b"b")))
    assert repr(message) == "UnknownMessage(msg_type='ZZ', unknown=<2 fields>)"
    assert message != UnknownMessage(msg_type="ZY", unknown=((1, b"a"), (2, b"b")))
