"""Wire logs of orders, with | for SOH."""

from __future__ import annotations

from kalshi_fix_sansio.framing import encode_frame
from tests.adapters.cli.every_message import KEY, SYMBOL

ORDER_ID = "9b1f6c2e-order"
DETAILS = f"54=1|55={SYMBOL}|"


def wire(
    msg_type: str,
    body: str,
    number: int = 2,
    *,
    sent: bool = False,
    venue: str = "KalshiNR",
    header: str = "",
) -> bytes:
    """Return a valid message."""
    sender, target = (KEY, venue) if sent else (venue, KEY)
    head = f"35={msg_type}|34={number}|49={sender}|56={target}|52=20260817-16:00:00.000|{header}"
    frame = encode_frame("FIXT.1.1", (head + body).replace("|", "\x01").encode("latin-1"))
    return frame.replace(b"\x01", b"|")


def line(
    at: str,
    msg_type: str,
    body: str,
    number: int = 2,
    *,
    sent: bool = False,
    connection: int = 1,
    venue: str = "KalshiNR",
) -> bytes:
    """Return a line of a wire log."""
    prefix = f"2026-08-17 {at}Z {connection} {'sent    ' if sent else 'received'} "
    return prefix.encode() + wire(msg_type, body, number, sent=sent, venue=venue) + b"\n"


def report(cl_ord_id: str, exec_id: str, exec_type: str, more: str = "", order_id: str = ORDER_ID) -> str:
    left, status = "0.00" if exec_type == "4" else "10.00", exec_type.replace("5", "0")
    return (
        f"37={order_id}|11={cl_ord_id}|17={exec_id}|150={exec_type}|39={status}|{DETAILS}59=1|"
        f"60=20260817-16:00:00|38=10.00|151={left}|14=0.00|6=0.0000|{more}"
    )


OTHER = line("16:00:02.000000", "D", f"11=b1|38=1|40=2|44=0.10|{DETAILS}", 8, sent=True) + line(
    "16:00:02.100000", "8", report("b1", "1;1;2", "0", order_id="another"), 8
)
ORDERS = (
    line("16:00:01.000000", "D", f"11=a1|38=10|40=2|44=0.50|{DETAILS}", 7, sent=True)
    + line("16:00:01.004000", "8", report("a1", "1;1;1", "0"), 7)
    + OTHER
    + line("16:00:03.000000", "G", f"11=a2|41=a1|38=10|40=2|44=0.51|{DETAILS}", 9, sent=True)
    + line("16:00:03.004000", "8", report("a2", "1;1;3", "5", "41=a1|"), 9)
    + line("16:00:09.000000", "F", f"11=a3|41=a2|{DETAILS}", 2, sent=True, connection=2)
    + line("16:00:09.004000", "8", report("a3", "1;1;4", "4", "41=a2|"), 2, connection=2)
)
"""All messages of an order, over two connections, and the messages of another order."""
