"""The parts of the dialect that the tests cover with the wire traffic of simulated venues.

Every test in this folder that passes bytes through a `VenueModel` is observed, in both directions: only
messages written by one side and received by the other count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from weakref import WeakKeyDictionary

from kalshi_fix_sansio import DIALECT, TEXTS
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.layout import FieldLayout, FieldMember
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_venue.venue import VenueModel

TEXT = b"58="
MSG_TYPE = b"35="

NOT_PRODUCED: Mapping[str, str] = {
    "QuoteRequestType (303) 2 (AUTOMATIC)": "the dictionary lists it; the venue sends only 1",
    "OrdRejReason (103) 13 (INCORRECT_QUANTITY)": "the session rejects it first; a market answers with 11",
    "BusinessRejectReason (380) 2 (UNKNOWN_SECURITY)": "unknown markets get other answers",
    "SessionRejectReason (373) 7 (DECRYPTION_PROBLEM)": "nothing is encrypted, because EncryptMethod is 0",
    "SessionRejectReason (373) 8 (SIGNATURE_PROBLEM)": "a wrong signature is refused with a Logout",
    "SessionRejectReason (373) 12 (XML_VALIDATION_ERROR)": "no message carries XML",
    "SessionRejectReason (373) 17 (VALUE_INCLUDES_DELIMITER)": "a delimiter ends the value",
    "SessionRejectReason (373) 18 (UNSUPPORTED_APPL_VERSION)": "no message contains ApplVerID",
}
"""Parts of the dialect that no test covers, with the reasons."""


class WireCoverage:
    """The MsgTypes, code values and Texts that were on the wire."""

    def __init__(self) -> None:
        self.fields: set[tuple[bytes, bytes]] = set()
        """MsgType and `tag=value` of the counted fields."""
        self._framers: WeakKeyDictionary[VenueModel, dict[tuple[int, str], Framer]] = WeakKeyDictionary()

    def add(self, venue: VenueModel, connection: int, direction: str, data: bytes) -> None:
        """Add bytes from a connection; they may end in the middle of a message."""
        framer = self._framers.setdefault(venue, {}).setdefault((connection, direction), Framer())
        framer.feed(data)
        while (item := framer.next()) is not None:
            if isinstance(item, Frame):
                self._add_message(item.data)

    def _add_message(self, message: bytes) -> None:
        fields = message.split(b"\x01")
        msg_type = next(field[3:] for field in fields if field.startswith(MSG_TYPE))
        for field in fields:
            tag = field[: field.find(b"=") + 1]
            if tag in COUNTED_TAGS or tag in (TEXT, MSG_TYPE):
                self.fields.add((msg_type, field))

    def missing(self) -> list[str]:
        """Return the parts of the dialect that were not on the wire, by their names in `expected`."""
        fields = {field for _, field in self.fields}
        return [
            name
            for name, (msg_type, field) in expected().items()
            if (msg_type is None and field not in fields)
            or (msg_type is not None and (msg_type, field) not in self.fields)
        ]


def watch(coverage: WireCoverage) -> Iterator[None]:
    """Record all bytes that pass through venues."""
    receive_data, data_to_send = VenueModel.receive_data, VenueModel.data_to_send

    def receive(self: VenueModel, conn: int, data: bytes, now: Instant) -> None:
        coverage.add(self, conn, "in", data)
        receive_data(self, conn, data, now)

    def send(self: VenueModel, conn: int) -> bytes:
        data = data_to_send(self, conn)
        coverage.add(self, conn, "out", data)
        return data

    VenueModel.receive_data, VenueModel.data_to_send = receive, send  # type: ignore[method-assign]
    yield
    VenueModel.receive_data, VenueModel.data_to_send = receive_data, data_to_send  # type: ignore[method-assign]


def expected() -> dict[str, tuple[bytes | None, bytes]]:
    """Return the parts of the dialect by name: the `tag=value` of each MsgType, code value and Text, and the
    MsgType of each Text."""
    found: dict[str, tuple[bytes | None, bytes]] = {
        f"MsgType {layout.msg_type} ({layout.name})": (None, MSG_TYPE + layout.msg_type.encode())
        for layout in DIALECT.messages.values()
    }
    for field in _coded():
        for code in field.codes:
            found[f"{field.label} {code.value} ({code.name})"] = (None, f"{field.tag}={code.value}".encode())
    for msg_type, text in TEXTS:
        found[f"Text of {msg_type} {text}"] = (msg_type.encode(), TEXT + text.encode())
    return found


def _coded() -> Iterator[FieldLayout]:
    """Yield each field that has code values and is part of a message, once."""
    fields: dict[int, FieldLayout] = {}
    blocks = [layout.body for layout in DIALECT.messages.values()]
    while blocks:
        for member in blocks.pop().members:
            if isinstance(member, FieldMember):
                fields.setdefault(member.tag, member.field)
            else:
                blocks.append(member.entry)
    return (field for field in fields.values() if field.codes is not None)


COUNTED_TAGS = frozenset(b"%d=" % field.tag for field in _coded())
"""The tags of the fields that have code values."""
