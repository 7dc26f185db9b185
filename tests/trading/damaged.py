"""Messages in wire form, with some of their fields changed, removed or duplicated."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.framing import encode_frame
from tests.helpers import CODEC
from tests.trading.order_flow import header

LONG = (b"999999999999999999.9999999999999999999", b"x" * 300)


@st.composite
def damaged(draw: st.DrawFn, valid: Sequence[Message], values: bytes, maximum: int) -> bytes:
    """Draw one of the `valid` messages with at most `maximum` changes. New values are drawn from `values`, in
    which they are separated by `|`.
    """
    message = draw(st.sampled_from(valid))
    wire = CODEC.encode(message, header(message))
    kind, *fields = [field.split(b"=", 1) for field in wire.split(b"\x01")[2:-2]]
    for _ in range(draw(st.integers(0, maximum))):
        at = draw(st.integers(0, len(fields) - 1))
        match draw(st.sampled_from(["change", "delete", "duplicate"])):
            case "change":
                fields[at][1] = draw(st.sampled_from([*values.split(b"|"), *LONG]))
            case "delete" if len(fields) > 1:
                del fields[at]
            case _:
                fields.append(fields[at])
    return encode_frame("FIXT.1.1", b"".join(b"=".join(item) + b"\x01" for item in [kind, *fields]))
