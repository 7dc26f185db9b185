"""Fuzz target `secrets`: no output contains a secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fuzz.targets.session import START
from fuzz.wire import KALSHI, SOH
from kalshi_fix_adapters.cli.logs.decoding import Decoder, Form, OutputOptions
from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader
from kalshi_fix_adapters.observe.redact import Transcript, without_secrets
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.framing import Frame, encode_frame, is_frame
from kalshi_fix_sansio.fuzzing import Choices

SECRET: Final = b"HUSH7HUSH"
FIELDS: Final = (b"554=", b"925=", b"96=", b"1402=", b"1404=")
"""Fields of a Logon that contain passwords and signatures."""
_DELIMITERS: Final = (
    SOH,
    SOH + SOH,
    b"\x0195=9\x01",
    b"\x0195=4\x01",
    b"\x0195=\x01",
    b"\x0195=40\x01",
    b"\x011401=9\x01",
)
_NOW: Final = Instant(0.0, START)


def check(data: bytes) -> None:
    """A password or signature in its proper field never appears in a line of a wire log, output of `decode`,
    a repr or an exception, whatever the other fields are and however the bytes are split into chunks."""
    choices = Choices(data)
    fields = b"35=A\x0149=a\x0156=b\x0134=1\x0152=20260821-14:03:07\x0198=0\x01108=30"
    for _ in range(1 + choices.below(3)):
        tag = choices.pick(FIELDS)
        fields += choices.pick(_DELIMITERS) + tag + SECRET
        fields += choices.take(choices.below(4)) if choices.one_in(3) else b""
    fields += SOH + (b"" if choices.one_in(2) else b"1137=9\x01")
    frame = encode_frame("FIXT.1.1", fields)
    sizes = [1 + choices.below(64) for _ in range(choices.below(8))]
    if choices.one_in(3):
        frame = frame[: choices.below(len(frame) + 1)]
    check_invariant(frame, sizes)


def check_invariant(frame: bytes, sizes: Sequence[int] = ()) -> None:
    """Check the invariant for one Logon, complete or truncated, in chunks of these sizes."""
    outputs: list[str] = []
    if is_frame(frame):
        outputs.append(without_secrets(frame).decode("latin-1"))
        outputs += [repr(Frame(frame)), repr(KALSHI.codec.inspect(frame))]
    try:
        message, _ = KALSHI.codec.check(frame)
        outputs += [repr(message), repr(message.header), *map(str, message.problems)]
        KALSHI.codec.decode_strict(frame)
    except DecodeError as error:
        outputs.append(str(error))
    transcript, position = Transcript(), 0
    for size in sizes:
        outputs += transcript.feed("sent", frame[position : position + size], _NOW)
        position += size
    outputs += transcript.feed("sent", frame[position:], _NOW)
    outputs += transcript.end()
    reader = LogReader()
    for logged in (*reader.feed(frame), *reader.close()):
        outputs += _decoder_outputs(logged)
    for text in outputs:
        assert SECRET.decode() not in text, f"a secret is shown: {text!r}"


def _decoder_outputs(logged: LoggedMessage) -> list[str]:
    batches = [
        Decoder(OutputOptions(form)).decode_batch([logged]) for form in (Form.BRIEF, Form.FULL, Form.JSON)
    ]
    return [str((batch.text, batch.lines)) for batch in batches]
