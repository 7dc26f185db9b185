"""The peer of a scenario: it fills in the header and trailer unless the step sets them."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.dialect.layout import Dialect
from kalshi_fix_sansio.framing import byte_sum
from tests.helpers import Clock
from tests.scenarios.runner.model import MessageSpec, Moment, Substring, Value

SENDER, TARGET, NUMBER, TIME = 49, 56, 34, 52
BEGIN_STRING, BODY_LENGTH, CHECK_SUM, MSG_TYPE = 8, 9, 10, 35
RESET_FLAG, NEW_SEQ_NO = 141, 36


@attrs.define
class Peer:
    """Writes the peer's messages, valid or not."""

    dialect: Dialect
    clock: Clock
    start: Clock
    sender: str
    target: str
    logon: dict[int, str]
    """Fields of the peer's Logon unless a step overrides them."""
    next_number: int = 1

    def write(self, spec: MessageSpec) -> bytes:
        """Write one message. Header fields set by the step come first, in the order of the step.

        If the step sets no MsgSeqNum, the next number is used. Only ResetSeqNumFlag decreases it.
        """
        fields = dict(spec.fields)
        msg_type = fields.pop(MSG_TYPE)
        if msg_type == "A":
            fields = {**self.logon, **fields}
        resets = msg_type == "A" and fields.get(RESET_FLAG) == "Y"
        number = fields.setdefault(NUMBER, str(1 if resets else self.next_number))
        if resets:
            self.next_number = 1
        if isinstance(number, str) and number.isdecimal():
            self.next_number = max(self.next_number, int(number) + 1)
        new_seq_no = fields.get(NEW_SEQ_NO)
        if msg_type == "4" and isinstance(new_seq_no, str) and new_seq_no.isdecimal():
            self.next_number = max(self.next_number, int(new_seq_no))
        framing = {tag: fields.pop(tag) for tag in (BEGIN_STRING, BODY_LENGTH, CHECK_SUM) if tag in fields}
        set_by_step = {tag: fields.pop(tag) for tag in list(fields) if tag in self.dialect.header.by_tag}
        defaults: dict[int, Value] = {
            SENDER: self.sender,
            TARGET: self.target,
            NUMBER: number,
            TIME: Moment(from_start=False, seconds=0),
        }
        header = {
            MSG_TYPE: msg_type,
            **set_by_step,
            **{tag: defaults[tag] for tag in defaults if tag not in set_by_step},
        }
        present = [(tag, value) for tag, value in {**header, **fields}.items() if value is not None]
        text = "".join(f"{tag}={self.text(value)}\x01" for tag, value in present)
        return self._frame((text + spec.body.replace("|", "\x01")).encode("latin-1"), framing)

    def text(self, value: Value) -> str:
        """Return a value in wire form."""
        if isinstance(value, Moment):
            return value.text(self.start, self.clock)
        assert value is not None
        assert not isinstance(value, Substring), "`contains` is only for expected messages"
        return value

    def _frame(self, body: bytes, framing: dict[int, Value]) -> bytes:
        begin_string = self.text(framing.get(BEGIN_STRING, self.dialect.begin_string))
        length = self.text(framing.get(BODY_LENGTH, str(len(body))))
        message = f"8={begin_string}\x019={length}\x01".encode("latin-1") + body
        check_sum = self.text(framing.get(CHECK_SUM, f"{byte_sum(message) & 0xFF:03d}"))
        return message + f"10={check_sum}\x01".encode("latin-1")
