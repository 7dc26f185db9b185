"""The codec of one dialect: decodes messages from bytes into typed objects, and encodes them."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any, Self

from kalshi_fix_sansio.classes.lazy_dict import LazyDict
from kalshi_fix_sansio.codec.compiled.cache import DecoderCache
from kalshi_fix_sansio.codec.compiled.sample import sample_of
from kalshi_fix_sansio.codec.encoder import ENCODE_ERRORS, check_header, check_unknown, raise_if_unencodable
from kalshi_fix_sansio.codec.explainer import CHECK_SUM_TAG, MSG_TYPE_TAG, Explainer
from kalshi_fix_sansio.codec.nodes import Inspection
from kalshi_fix_sansio.codec.reader import read
from kalshi_fix_sansio.codec.tables import UNKNOWN_BODY, BlockTable, Tables
from kalshi_fix_sansio.codec.tokens import Token, TokenForm, split, tokenize
from kalshi_fix_sansio.dialect.base import Message, UnknownMessage
from kalshi_fix_sansio.dialect.layout import BlockLayout, Dialect
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.errors import DecodeError, EncodeError, LocalProtocolError
from kalshi_fix_sansio.framing import Frame, encode_frame, frame_problems, is_frame
from kalshi_fix_sansio.scalars import format_string

_BodyEncoder = tuple[Callable[..., str], str]
"""The encoder of a message class, and the MsgType field that is written before the body."""


class Codec:
    """Decodes and encodes the messages of a dialect.

    The decoding methods accept bytes, whose BodyLength and CheckSum they check, or a `Frame` from the
    `Framer`, which has already checked them.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._tables = Tables(dialect)
        self._compiled = DecoderCache(self._tables)
        self._encode_header = dialect.header.encode
        self._body_encoders: LazyDict[type[Message], _BodyEncoder] = LazyDict(partial(_body_encoder, dialect))
        self.deferred: dict[int, str] | None = None
        """One message, as text, for each shape (sequence of tags) that `compile_deferred` will compile; the
        key is a hash of its MsgType and tags. None for a codec that compiles while it decodes.
        """
        self.shapes: list[bytes] = []
        """For each shape that `compile_deferred` has compiled, a message with invented values."""

    def with_deferred_compilation(self) -> Self:
        """Return a codec that shares the decoders of this one, but compiles none while it decodes, because
        that would delay a message by milliseconds. Call `compile_deferred` when there is time for it.
        """
        codec = copy(self)
        codec.deferred, codec.shapes = {}, []
        return codec

    def compile_deferred(self) -> bool:
        """Compile the decoder for one deferred shape, which takes milliseconds. Return False if no shape is
        deferred.
        """
        if not self.deferred:
            return False
        _, text = self.deferred.popitem()
        shape = self.prepare(text.encode("latin-1"))
        if shape is not None and shape not in self.shapes:
            self.shapes.append(shape)
        return True

    def prepare(self, frame: bytes) -> bytes | None:
        """Compile the decoder for all messages with the shape (sequence of tags) of this message, if it is
        missing.

        Without a compiled decoder, decoding a message takes about six times as long. Compiling takes 2 to 5
        ms. Returns a message of the same shape with invented values, which another process can pass to
        `prepare`. Returns None for bytes that are not a valid message of the dialect, which are ignored.
        """
        if not is_frame(frame):
            return None
        text = frame.decode("latin-1")
        explained = Explainer(self._tables, text)
        message = explained.message()
        if explained.layout is None or message.problems:
            return None
        if self._compiled.decode(frame, True) is None:
            self._compiled.compile(text, split(text), message)
        return sample_of(explained, self.dialect.fields)

    def decode(self, frame: bytes | Frame) -> Message:
        """Decode a message leniently, without rejecting unknown or malformed fields.

        Fields that the dialect does not define for the message are kept in `unknown`, on the message and on
        group entries. Errors are listed in `problems`, and an attribute whose value could not be parsed is
        None. A message of a type that the dialect does not define becomes an `UnknownMessage`.

        Raises:
            DecodeError: the bytes are not one complete message.
        """
        if frame.__class__ is bytes:
            message = self._compiled.decode(frame, False)
        elif frame.__class__ is Frame:
            message = self._compiled.decode(frame.data, True)
        else:
            message = None
        return self._read(frame)[0] if message is None else message

    def decode_strict(self, frame: bytes | Frame) -> Message:
        """Decode a message, and raise DecodeError unless it is valid.

        All problems that `decode` lists are errors, and also:

        - a tag that the dialect does not define, or does not define in this place;
        - a field in the wrong part of the message (header, body or trailer);
        - a group entry whose fields are not in the dialect's order;
        - a value that violates the limits of its field.

        Rules that depend on the product, the session type or other fields are checked only by
        `validation.validate`.

        Raises:
            DecodeError: its `problems` are classified by SessionRejectReason (373). At most 1,000 problems
                that `decode` lists and 1,000 others are included. If there are more, a final problem
                contains their number.
        """
        message, problems = self.check(frame)
        if problems:
            name = getattr(message, "NAME", "message")
            raise DecodeError(f"{name}: {'; '.join(str(problem) for problem in problems)}", problems)
        return message

    def check(self, frame: bytes | Frame) -> tuple[Message, tuple[Problem, ...]]:
        """Decode as `decode` does; return the message and all problems for which `decode_strict` would raise
        an error.

        Raises:
            DecodeError: the bytes are not one complete message.
        """
        is_frame_checked = frame.__class__ is Frame
        data = frame.data if isinstance(frame, Frame) else frame
        message = (
            self._compiled.decode(data, is_frame_checked, strict=True) if data.__class__ is bytes else None
        )
        if message is not None:
            return message, ()
        return self._read(frame, strict=True)

    def inspect(self, frame: bytes) -> Inspection:
        """Split a message into its fields for display, even if it is damaged."""
        explained = Explainer(self._tables, frame.decode("latin-1"))
        return Inspection(
            msg_type=explained.msg_type,
            layout=explained.layout,
            header=explained.header.nodes(),
            body=explained.body.nodes(),
            trailer=explained.trailer.nodes(),
            problems=_merge_problems(frame_problems(frame), explained.problems(strict=True)),
        )

    def load_encoder(self, cls: type[Message]) -> None:
        """Import the encoder of a message class now, so the import does not delay the first message."""
        _ = self._body_encoders[cls]

    def encode(self, message: Message, header: Any = None) -> bytes:
        """Encode a message. Without `header`, the message's own header is used.

        The codec sets BeginString, BodyLength, MsgType and CheckSum. If there is no header, the message
        contains no other header fields. The dialect's rules about required fields are not checked.

        Raises:
            EncodeError: a value has no FIX representation, or a receiver would parse a field in `unknown` as
                a defined field, or would lose the fields after it. The text contains the name of the field.
            LocalProtocolError: the dialect does not define this message.
        """
        if header is None:
            header = message.header
        try:
            encode, text = self._body_encoders[type(message)]
            # Each encoder appends to the text so far, because joining the parts afterwards takes 3% longer
            # for a small order.
            if header is not None:
                text = self._encode_header(header, False, text)
            text = encode(message, False, text)
            if message.trailer is not None:
                text = self.dialect.trailer.encode(message.trailer, False, text)
        except ENCODE_ERRORS:
            # The encoders do not report which field is at fault. NUL makes the code below call
            # `_encode_or_explain`, which reports it.
            text = "\0"
        # NUL and non-ASCII characters are rare, so the whole text is checked for them once. The encoders
        # check each string only for SOH.
        if "\0" in text or not text.isascii():
            return self._encode_or_explain(message, header)
        return encode_frame(self.dialect.begin_string, text.encode())

    def _encode_or_explain(self, message: Message, header: Any) -> bytes:
        """Encode a message that contains non-ASCII characters, or raise EncodeError with the name of the
        field at fault.
        """
        table = self._table_of(message)
        head = "" if header is None else _encode_block(header, self.dialect.header)
        body = _encode_block(message, table.layout)
        tail = "" if message.trailer is None else _encode_block(message.trailer, self.dialect.trailer)
        check_unknown(message, table, self._tables)
        if header is not None:
            check_header(header, message, body, table, self._tables)
        if message.trailer is not None and message.trailer.unknown:
            raise EncodeError(
                "the trailer cannot have unknown fields: a receiver would assign them to the body"
            )
        return encode_frame(
            self.dialect.begin_string, f"35={message.msg_type}\x01{head}{body}{tail}".encode("latin-1")
        )

    def with_header(self, frame: bytes | Frame, header: Any) -> bytes:
        """Return a message with a new header. The body is kept byte for byte; the trailer is removed.

        Use this to forward or resend messages. Fields of the header and the trailer are removed wherever they
        occur. Fields that the dialect does not define are kept, even those in the entries of a header group.

        Raises:
            DecodeError: the bytes are not one complete message.
            EncodeError: a value of the header has no FIX representation, or the body contains a header or
                trailer field between a length and its data field. Removing such a field would change how the
                body is parsed.
        """
        text = _text(frame)
        outer = self._tables.outer_tags
        tokens = tokenize(text, self._tables.data_tags)
        remaining = [token for token in tokens if token.tag not in outer]
        body = "".join(map(_wire_text, remaining))
        # Compared with CheckSum appended: if the body ends with a length whose data was removed, the field
        # that follows would be read as data.
        check_sum = Token(CHECK_SUM_TAG, "000", TokenForm.PLAIN)
        if tokenize(f"{body}{_wire_text(check_sum)}", self._tables.data_tags) != [*remaining, check_sum]:
            raise EncodeError(
                "the body cannot be forwarded: removing its header and trailer fields would change "
                "which bytes belong to a data field"
            )
        msg_type = next(token.value for token in tokens if token.tag == MSG_TYPE_TAG)
        head = _encode_block(header, self.dialect.header)
        return encode_frame(self.dialect.begin_string, f"35={msg_type}\x01{head}{body}".encode("latin-1"))

    def _table_of(self, message: Message) -> BlockTable:
        layout = self.dialect.layout_of(type(message))
        if layout is not None:
            return self._tables.body(layout)
        if isinstance(message, UnknownMessage):
            defined = self.dialect.messages.get(format_string(message.msg_type))
            if defined is not None:
                raise EncodeError(
                    f"MsgType (35) {defined.msg_type!r} belongs to {defined.name}; use that class"
                )
            return UNKNOWN_BODY
        raise LocalProtocolError(f"{type(message).__name__} is not a message of {self.dialect.name}")

    def _read(self, frame: bytes | Frame, *, strict: bool = False) -> tuple[Message, tuple[Problem, ...]]:
        """Decode a message that no compiled decoder accepts. If it has no problems, count its shape, which
        may then be compiled.

        Returns the message and, if `strict` is set, the problems for which strict decoding rejects it.
        """
        text = _text(frame)
        columns = split(text)
        message = read(self._tables, columns, strict=strict)
        problems: tuple[Problem, ...] = ()
        if message is None:
            explained = Explainer(self._tables, text)
            message = explained.message()
            if strict:
                problems = explained.problems(strict=True)
        # Only messages without problems are counted, because compiled decoders do not check the shape again.
        if not message.problems:
            self._compiled.learn(text, columns, message, self.deferred)
        return message, problems


def _body_encoder(dialect: Dialect, cls: type[Message]) -> _BodyEncoder:
    layout = dialect.layout_of(cls)
    if layout is None:
        raise KeyError(cls)
    return layout.body.encode, f"35={layout.msg_type}\x01"


def _encode_block(block: Any, layout: BlockLayout) -> str:
    """Encode a block with its unknown fields; raise EncodeError with the name of a field that cannot be
    encoded.
    """
    raise_if_unencodable(block, layout)
    return layout.encode(block)


def _text(frame: bytes | Frame) -> str:
    if isinstance(frame, Frame):
        return frame.data.decode("latin-1")
    if not is_frame(frame):
        problems = frame_problems(frame)
        listed = "; ".join(str(problem) for problem in problems)
        raise DecodeError(f"the bytes are not one complete FIX message: {listed}", problems)
    return frame.decode("latin-1")


def _wire_text(token: Token) -> str:
    """Return the wire text of a field."""
    return f"{token.value}\x01" if token.form is TokenForm.INVALID else f"{token.tag}={token.value}\x01"


def _merge_problems(from_frame: tuple[Problem, ...], from_fields: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return the problems with the frame and with the fields. A problem with a field is left out if it
    repeats one with the frame.
    """
    # Compared by reason and tag, because the texts for the same problem differ.
    known = {(problem.reason, problem.tag) for problem in from_frame}
    return from_frame + tuple(p for p in from_fields if (p.reason, p.tag) not in known)
