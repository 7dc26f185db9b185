"""Plays dialogues line by line: messages sent to a venue in memory, and the messages that each client
receives.

README.md in this folder defines the format. Received messages are compared on the wire, field by field.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from operator import eq
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml

from kalshi_fix_sansio import DIALECT, SESSION_TYPES, Side
from kalshi_fix_sansio._generated import limits
from kalshi_fix_sansio._generated.layouts.fields import FIELDS
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.exchange import (
    AccountId,
    MarketResult,
    MarketState,
    PauseState,
    SetMarketState,
    SetPause,
    SetSettlementBounds,
)
from kalshi_fix_venue.exchange.pausing import CANCEL_DELAY
from kalshi_fix_venue.gateway.drop_copy import WINDOW
from tests.helpers import TAGS, raw
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import CODEC, Client, VenueHarness, encode

TYPES = {layout.name: layout.msg_type for layout in DIALECT.messages.values()}
HEADER = "34=2|49=sender|56=target|52=20260820-15:00:00.000|"
IGNORED_TYPES = ("0", "1", "A")
"""MsgTypes that are not compared: Heartbeat, TestRequest and Logon."""


@attrs.frozen
class Dialogue:
    """A dialogue, with the parts of its file that all dialogues share."""

    name: str
    lines: str
    venue: Mapping[str, Any]
    """Settings of the venue."""
    clients: Mapping[str, str]
    """By client name, the arguments of its `logon` line. The clients that a dialogue uses are logged on at
    its start.
    """
    words: Mapping[str, str]
    """Message templates, by abbreviation."""
    names: Mapping[str, str]
    """Values of `$NAME` references, by name."""


EXPRESSION_NAMES: dict[str, Any] = {
    name.lower(): value for name, value in vars(limits).items() if name.isupper()
}
EXPRESSION_NAMES |= {field.name: field for field in FIELDS.values()}
EXPRESSION_NAMES["rest_after_close"] = CANCEL_DELAY.total_seconds()
EXPRESSION_NAMES["past_reports"] = WINDOW.total_seconds()
EXPRESSION_NAMES["retention_hours"] = SESSION_TYPES["KalshiRT"].retention_hours
"""The names that an expression in `[[...]]` may use: limits, and fields with their bounds."""
CLIENT_RETENTION = timedelta(days=30)
"""How long clients keep messages: longer than the venue does."""
SETUPS = Path(__file__).parent / "setups"
PLACEHOLDER = re.compile(r"\{(\d|\*)(?:\|([^}]*))?\}")


def load(path: Path) -> Iterator[Dialogue]:
    """Yield the dialogues of a file. An entry with rows becomes one dialogue for each row."""
    document = yaml.safe_load(path.read_text("utf-8"))
    head = yaml.safe_load((SETUPS / f"{document.pop('setup')}.yaml").read_text("utf-8"))
    for name, given in document.items():
        entry = given if isinstance(given, dict) else {"lines": given}
        columns, *rows = [
            [cell.strip() for cell in row.split(" | ")] for row in entry.get("rows", "").splitlines()
        ] or [[], []]
        names = {"MARKET": MARKET, **head.get("names", {})}
        for number, row in enumerate(rows):
            cells = dict(zip(columns, row, strict=True))
            venue, lines = (
                _substitute(part, r"<([^<>]+)>", cells) for part in (entry.get("venue", {}), entry["lines"])
            )
            venue = yaml.safe_load(venue) if isinstance(venue, str) else venue
            lines = re.sub(
                r"\[\[(.+?)\]\]", lambda match: str(round(eval(match[1], EXPRESSION_NAMES), 3)), lines
            )
            yield Dialogue(
                name=f"{name}-{number + 1}" if columns else name,
                lines="\n".join(_expand(lines, head.get("blocks", {}))),
                venue=_substitute({**head.get("venue", {}), **venue}, r"\$(\w+)", names),
                clients=head["clients"],
                words=head.get("words", {}),
                names=names,
            )


def _substitute(part: Any, reference: str, values: Mapping[str, str]) -> Any:
    """Replace the references in a string, list or mapping with their values; `reference` is their pattern."""
    if isinstance(part, dict):
        filled = {key: _substitute(value, reference, values) for key, value in part.items()}
        return {_substitute(key, reference, values): value for key, value in filled.items()}
    if isinstance(part, list):
        return [_substitute(item, reference, values) for item in part]
    if not isinstance(part, str):
        return part
    return re.sub(reference, lambda match: values.get(match[1], match[0]), part)


def _expand(lines: str, blocks: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines without comments, with each block name replaced by the lines of the block."""
    for line in lines.splitlines():
        line = re.sub(r"(^|\s+)#.*", "", line).strip()
        words = line.split()
        if words and words[0] in blocks:
            yield from _expand(_fill_template(blocks[words[0]], words[1:]), blocks)
        elif line:
            yield line


def _fill_template(template: str, words: list[str]) -> str:
    """Fill the placeholders of a template: `{0}`, `{1}` and so on with the words that do not set a field, and
    `{*}` with the other words.
    """
    given = [word for word in words if "=" not in word]

    def fill(placeholder: re.Match[str]) -> str:
        if placeholder[1] == "*":
            return " ".join(word for word in words if "=" in word)
        return given[int(placeholder[1])] if int(placeholder[1]) < len(given) else placeholder[2] or ""

    return PLACEHOLDER.sub(fill, template)


@attrs.define
class Play:
    """The state of one dialogue during its run."""

    dialogue: Dialogue
    harness: VenueHarness
    names: dict[str, str]
    clients: dict[str, Client] = attrs.field(factory=dict)
    _compared_bytes: dict[str, int] = attrs.field(factory=dict)
    """Number of bytes already compared, by client."""
    _stores: dict[str, MemoryStore] = attrs.field(factory=dict)
    _unchecked_count: dict[str, int] = attrs.field(factory=dict)
    """Number of messages that bypassed the session, by client."""

    def run(self) -> None:
        """Play all lines.

        Raises:
            AssertionError: the result differs; the message contains the line.
        """
        lines = self.dialogue.lines.splitlines()
        first_words = [line.split()[0] for line in lines]
        explicit = {line.split()[1] for line in lines if line.startswith(("logon ", "logon-refused "))}
        for name, arguments in self.dialogue.clients.items():
            if name in first_words and name not in explicit:
                self._logon(name, *shlex.split(arguments))
        while lines:
            line = lines.pop(0)
            # The expected messages of one client may span several lines.
            while re.match(r"\S+ < ", line) and lines and lines[0].startswith(f"{line.split()[0]} < "):
                line += f" ; {lines.pop(0).split(' < ', 1)[1]}"
            try:
                self._do(*shlex.split(re.sub(r"\$(\w+)", self._value_of, line)))
            except AssertionError as error:
                raise AssertionError(f"{self.dialogue.name}: {line}\n{error}") from None

    def _value_of(self, found: re.Match[str]) -> str:
        """Return the value of a name, or the reference itself if the name has no value yet."""
        return self.names.get(found[1], found[0])

    def _do(self, first: str, *rest: str) -> None:
        if first not in self.clients:
            getattr(self, f"_{first.replace('-', '_')}")(*rest)
            return
        client = self.clients[first]
        match rest:
            case (">" | "&" as how, *words):
                operator = next((word[12:] for word in words if word.startswith("SenderSubID=")), None)
                message = self._message([word for word in words if not word.startswith("SenderSubID=")])
                fields = None if operator is None else {"sender_sub_id": operator}
                client.session.send(message, self.harness.now, header_fields=fields)
                if how == ">":
                    self.harness.run()
            case (">>", *words):
                self._send_unchecked(first, self._message(words))
            case ("<", *words):
                self._expect(first, " ".join(shlex.quote(word) for word in words))
            case ("disconnects",):
                client.drop()
            case ("logs", "out"):
                client.logout()
            case ("ends", reason):
                assert client.session_end().reason.name == reason
            case ("is", "logged", "on"):
                assert client.session.is_established
            case _:
                raise AssertionError(f"unknown action of {first}")

    # --- messages sent and received ---------------------------------------------------------------------

    def _expand_abbreviation(self, words: list[str]) -> list[str]:
        """Return a message with its abbreviation expanded."""
        template = self.dialogue.words.get(words[0])
        if template is None:
            return words
        filled = _fill_template(re.sub(r"\$(\w+)", self._value_of, template), words[1:])
        return [*shlex.split(filled), *(word for word in words[1:] if "=" in word)]

    def _message(self, words: list[str]) -> Message:
        kind, *parts = self._expand_abbreviation(words)
        fields: dict[str, str] = {}
        for part in parts:
            name, _, value = part.partition("=")
            fields[name] = value
        body = "".join(
            f"{TAGS[name]}={_code(TAGS[name], item)}|"
            for name, value in fields.items()
            if value != "-"
            for item in value.split(",")
        )
        message = CODEC.decode(raw(f"35={TYPES[kind]}|{HEADER}{body}"))
        message.header = None
        message.trailer = None
        return message

    def _send_unchecked(self, name: str, message: Message) -> None:
        client, harness = self.clients[name], self.harness
        number = client.session.next_outgoing + self._unchecked_count.get(name, 0)
        self._unchecked_count[name] = self._unchecked_count.get(name, 0) + 1
        session_type = client.session.config.session_type.name
        harness.venue.receive_data(
            client.conn, encode(client.name, session_type, number, harness.now, message), harness.now
        )
        harness.run()

    def received(self, name: str) -> list[list[tuple[int, str]]]:
        """Return the fields of the messages that a client has received since the last call."""
        client, framer = self.clients[name], Framer()
        framer.feed(bytes(client.wire[self._compared_bytes.get(name, 0) :]))
        self._compared_bytes[name] = len(client.wire)
        found = []
        while (item := framer.next()) is not None:
            assert isinstance(item, Frame)
            pairs = [field.partition("=") for field in item.data.decode("latin-1").split("\x01")[:-1]]
            found.append([(int(tag), value) for tag, _, value in pairs])
        return [fields for fields in found if dict(fields)[35] not in IGNORED_TYPES]

    def _expect(self, name: str, words: str) -> None:
        found = self.received(name)
        if words == "'*'":
            return
        expected = [] if words == "-" else [shlex.split(part) for part in words.split(" ';' ")]
        shown = "\n".join(_shown(fields) for fields in found) or "nothing"
        assert len(found) == len(expected), f"{name} receives {shown}"
        for fields, requested in zip(found, expected, strict=True):
            kind, *parts = self._expand_abbreviation(requested)
            assert dict(fields)[35] == TYPES.get(kind, kind), f"{name} receives {shown}"
            for part in parts:
                self._compare(fields, part, shown)

    def _compare(self, fields: list[tuple[int, str]], part: str, shown: str) -> None:
        match = re.fullmatch(r"(\w+)(==|!=|=~|=)(.*)", part)
        assert match, f"{part} is not a comparison"
        tag, how, expected = TAGS[match[1]], match[2], match[3]
        values = [value for each, value in fields if each == tag]
        if how == "=" and expected.startswith("$"):
            assert values, f"there is no {match[1]} in {shown}"
            self.names[expected[1:]] = values[0]
        elif how == "=" and expected == "-":
            assert not values, f"not {part}: {shown}"
        elif how in ("=~", "!="):
            matches = (expected in item if how == "=~" else item != expected for item in values[:1])
            assert any(matches), f"not {part}: {shown}"
        else:
            requested = expected.split(",")
            same = eq if how == "==" else _same
            assert values, f"there is no {match[1]} in {shown}"
            for_all = how == "=" and len(requested) == 1
            assert for_all or len(requested) == len(values), f"not {part}: {shown}"
            pairs = zip(values, requested, strict=False)
            assert all(same(value, _code(tag, each)) for value, each in pairs), f"not {part}: {shown}"

    # --- all other lines --------------------------------------------------------------------------------

    def _logon(self, name: str, session_type: str, *settings: str) -> None:
        """Log a client on. `key=` selects a key other than the one with the client's name, and `store=` names
        a store of sequence numbers with which a later session can continue.
        """
        found = {key: _setting(value) for key, _, value in (setting.partition("=") for setting in settings)}
        key = found.pop("key", name)
        if "store" in found:
            found["store"] = self._stores.setdefault(found["store"], MemoryStore(max_age=CLIENT_RETENTION))
        self.clients[name] = self.harness.connect(key, session_type, **found)
        self._compared_bytes[name] = 0
        if "store" not in found:
            self.received(name)

    def _logon_refused(self, name: str, session_type: str, *settings: str) -> None:
        """Have a client of `clients` log on with other settings, and check that the venue refuses it."""
        known = shlex.split(self.dialogue.clients[name])[1:]
        self._logon(name, session_type, *known, *settings)
        self._compared_bytes[name] = 0
        assert not self.clients[name].is_logged_on

    def _wait(self, seconds: str) -> None:
        self.harness.wait(float(seconds))

    def _wait_without_timers(self, seconds: str) -> None:
        """Let time pass without calling any timer."""
        self.harness._move_to(self.harness.monotonic + float(seconds))

    def _set_clock(self, time: str) -> None:
        """Set the clock of a venue before any client logs on."""
        self.harness.utc = datetime.fromisoformat(time)

    def _handle_timers(self) -> None:
        """Have the venue handle its timers, after `wait-without-timers`."""
        self.harness.venue.handle_timer(self.harness.now)
        self.harness.run()

    def _next_timer(self, seconds: str) -> None:
        """Check that the gateway's next timer is due in this many seconds, or that no timer is running."""
        deadline = self.harness.venue._gateways["prediction"].next_deadline()
        found = None if deadline is None else round((deadline - self.harness.utc).total_seconds(), 3)
        assert found == (None if seconds == "never" else float(seconds)), found

    def _discard(self, *names: str) -> None:
        """Discard the messages received by these clients, or by all clients if none is named."""
        for name in names or self.clients:
            self.received(name)

    def _silent(self, *names: str) -> None:
        """Check that these clients have received no message."""
        for name in names:
            self._expect(name, "-")

    def _set_market(self, state: str, ticker: str = MARKET, result: str | None = None) -> None:
        chosen = MarketResult.YES if state == "DETERMINED" else None
        command = SetMarketState(ticker, MarketState[state], MarketResult[result] if result else chosen)
        self.harness.execute(command)

    def _market_state(self, expected: str, ticker: str = MARKET) -> None:
        """Check the state of a market."""
        found = self._exchange(ticker).markets[ticker].state
        assert found is MarketState[expected], found

    def _pause_states(self, *expected: str) -> None:
        """Check the pause states of prediction and margin."""
        found = [self.harness.venue.exchange(product).pause.name for product in ("prediction", "margin")]
        assert found == list(expected), found

    def _resting(self, *expected: str) -> None:
        """Check the ClOrdIDs of the open orders on prediction; `-` means none."""
        found = {order.cl_ord_id for order in self.harness.venue.exchange("prediction").open_orders()}
        assert found == set(expected) - {"-"}, found

    def _cap_left(self, dollars: str) -> None:
        """Check the dollars left under the daily cap of the customer $CAPPED."""
        cap = self.harness.venue.exchange("prediction").daily_cap(self.names["CAPPED"])
        assert cap is not None
        self._check_amount(cap.limit - cap.reserved - cap.used, dollars)

    def _fails(self, problem: str, *line: str) -> None:
        """Run another line, which must fail with this text."""
        with pytest.raises((ConfigurationError, ValueError), match=re.escape(problem)):
            self._do(*line)

    def _set_settlement_bounds(self, lowest: str, highest: str, ticker: str = MARKET) -> None:
        self.harness.execute(SetSettlementBounds(ticker, Decimal(lowest), Decimal(highest)))

    def _set_pause(self, state: str) -> None:
        self.harness.execute(SetPause(PauseState[state]))

    def _operator(self, name: str, *values: str) -> None:
        """Perform an operation of the venue's operator by its name."""
        self.harness.do(name, **dict(value.split("=", 1) for value in values))

    def _armed_faults(self, count: str) -> None:
        """Check the number of armed faults."""
        found = self.harness.do("faults")
        assert len(found["faults"]) == int(count), found
        assert found["text"].startswith(f"{count} fault"), found

    def _position(self, owner: str, quantity: str, ticker: str = MARKET) -> None:
        self._check_amount(self._exchange(ticker).position(_account(owner), ticker).net, quantity)

    def _balance(self, owner: str, dollars: str, shard: str = "0") -> None:
        account = attrs.evolve(_account(owner), shard=int(shard))
        self._check_amount(self.harness.venue.exchange("prediction").account(account).balance, dollars)

    def _reserved(self, owner: str, dollars: str, shard: str = "0") -> None:
        account = attrs.evolve(_account(owner), shard=int(shard))
        self._check_amount(self.harness.venue.exchange("prediction").account(account).reserved, dollars)

    def _total_balance(self, dollars: str, *owners: str) -> None:
        """Check the total balance of these owners."""
        accounts = (self.harness.venue.exchange("prediction").account(_account(owner)) for owner in owners)
        self._check_amount(sum((account.balance for account in accounts), Decimal(0)), dollars)

    def _bids(self, *levels: str) -> None:
        self._book(Side.BUY, *levels)

    def _asks(self, *levels: str) -> None:
        self._book(Side.SELL, *levels)

    def _book(self, side: Side, *levels: str) -> None:
        """Check a side of a book: `40@0.45` for each level, the best level first; `of TICKER` selects another
        market."""
        ticker = MARKET
        if "of" in levels:
            levels, ticker = levels[:-2], levels[-1]
        found = [
            f"{size.normalize():f}@{price}" for price, size in self._exchange(ticker).levels(ticker, side)
        ]
        assert found == list(levels), found

    def _exchange(self, ticker: str) -> Any:
        exchanges = [self.harness.venue.exchange(product) for product in ("prediction", "margin")]
        return next((exchange for exchange in exchanges if ticker in exchange.markets), exchanges[0])

    def _check_amount(self, found: Decimal, expected: str) -> None:
        assert found == Decimal(expected), found


def _account(name: str) -> AccountId:
    owner, _, rest = name.partition("/")
    subaccount, _, customer = rest.partition(":")
    return AccountId(owner, int(subaccount or 0), customer=customer)


def _setting(value: str) -> Any:
    return {"yes": True, "no": False}.get(value, int(value) if value.isdecimal() else value)


def _code(tag: int, value: str) -> str:
    """Return the wire value of a code name or, in RefTagID, the tag of a field name; return any other value
    unchanged."""
    if tag == TAGS["RefTagID"] and value in TAGS:
        return str(TAGS[value])
    codes = FIELDS[tag].codes if tag in FIELDS else None
    return str(codes[value].value) if codes is not None and value in codes.__members__ else value


def _same(one: str, other: str) -> bool:
    try:
        return one == other or Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False


def _shown(fields: list[tuple[int, str]]) -> str:
    layout = DIALECT.messages[dict(fields)[35]]
    known = [
        f"{FIELDS[tag].name}={value}" for tag, value in fields if tag in FIELDS and tag not in (8, 9, 35, 10)
    ]
    return f"{layout.name} {' '.join(known)}"
