"""Runs the examples of the reference pages: a list of them as JSON comes in, one answer for each goes out.

It runs in a process of its own, with the library as it has just been generated.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from kalshi_fix_sansio import Header, decode_strict, encode
from kalshi_fix_sansio.dialect.layout import Sender
from kalshi_fix_sansio.validation import validate

CLIENT = "3c6e2a5e-7f7d-4d3a-9a50-1f3f6f0c8d11"
MOMENT = datetime(2026, 8, 17, 16, 0, 0, 123000, UTC)


def answer(example: dict[str, Any]) -> dict[str, str]:
    """Make, check and encode one message, and read it back."""
    made: dict[str, Any] = {}
    try:
        exec(example["source"], made)  # noqa: S102 - the source is what this program has just written
        message = made["message"]
        session = example["session"]
        # The CompID of the venue is the name of the session type.
        sides = (CLIENT, session) if example["sender"] == "client" else (session, CLIENT)
        layout = type(message).MESSAGE
        problems = validate(
            message,
            layout,
            product=example["product"],
            session=session,
            sender=Sender(example["sender"]),
        )
        if problems:
            return {"fault": "; ".join(map(str, problems))}
        header = Header(
            msg_type=layout.msg_type,
            msg_seq_num=7,
            sender_comp_id=sides[0],
            target_comp_id=sides[1],
            sending_time=MOMENT,
        )
        frame = encode(message, header)
        # Also a check of codec and spec, message by message.
        if decode_strict(frame) != message:
            return {"fault": "it does not read back the same"}
    except Exception as error:  # noqa: BLE001 - whatever goes wrong belongs to this example
        return {"fault": f"{type(error).__name__}: {error}"}
    return {"wire": frame.decode("latin-1").replace("\x01", "|")}


if __name__ == "__main__":
    json.dump([answer(example) for example in json.load(sys.stdin)], sys.stdout)
