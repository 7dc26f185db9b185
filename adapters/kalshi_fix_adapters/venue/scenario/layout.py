"""What a scenario file may hold: every key with its shape and its meaning. The JSON Schema is made of it.

A default stands here only where the reader (`file`) is to see it for a key that was left out. Elsewhere it
is None, and the class that the key ends up in has the default, which the text tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.config import SCOPES
from kalshi_fix_adapters.venue.exchange import MarketState
from kalshi_fix_adapters.venue.exchange.netting import GroupKind
from kalshi_fix_adapters.venue.exchange.prices import STRUCTURES
from kalshi_fix_adapters.venue.exchange.terms import MarketResult
from kalshi_fix_adapters.venue.flow import FlowConfig
from kalshi_fix_adapters.venue.operations import OPERATIONS, Operation, operation
from kalshi_fix_adapters.venue.parameters import parameters, shown
from kalshi_fix_adapters.venue.rate_limits import TIERS
from kalshi_fix_adapters.venue.scenario.mistakes import Mistakes
from kalshi_fix_adapters.venue.scenario.nodes import Map, Node, Scalar, plain
from kalshi_fix_adapters.venue.scenario.scenario import KEYS_EACH
from kalshi_fix_adapters.venue.scenario.shapes import (
    WRONG,
    Amount,
    Choice,
    Duration,
    Entries,
    Field,
    Flag,
    Items,
    Record,
    Shape,
    Text,
    Whole,
)
from kalshi_fix_sansio import PRODUCTS
from kalshi_fix_sansio.errors import ConfigurationError

_ONE = Decimal(1)
_TICKER = Text("a ticker of letters, digits, `.`, `_` and `-`", r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
OWNER = Text("a name of letters, digits, `.`, `_` and `-`", r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
_DOLLARS = Amount("dollars")
_SHARD = Whole(1, 99)

# The docs of fields are published: `kalshi-fix venue schema` prints them, and editors show them.

_RATE = Field(Amount("a rate", most=_ONE), "of the value at stake")
_RATES = {"taker-rate": _RATE, "maker-rate": _RATE}
_MARKET: dict[str, Field] = {
    "tick": Field(
        Amount("dollars", most=Decimal(1000), above=True),
        "prices are multiples of it; 0.01 dollars by default on prediction, 0.0001 on margin",
    ),
    "middle": Field(
        Amount("dollars", above=True),
        "the price around which orders rest and the flow begins; half a dollar, or 20 dollars on margin",
    ),
    "liquidity": Field(
        Record(
            {
                "levels": Field(Whole(0, 100), "prices on each side; 0 for an empty book", 2),
                "spacing": Field(
                    Amount("dollars", above=True), "dollars between two prices; a tick or a 400th of `middle`"
                ),
                "largest": Field(Whole(1, 1_000_000), "contracts at one price, at most", 100),
            },
        ),
        "orders that rest at the start",
    ),
    "position-limit": Field(
        Amount("contracts", above=True), "contracts that an account may be long or short; no limit by default"
    ),
    "state": Field(
        Choice(tuple(each.value for each in MarketState)), "where the market stands at the start", "active"
    ),
    "result": Field(Choice(tuple(MarketResult)), "how it was decided, for one that is so at the start"),
    "result-price": Field(Amount("dollars", most=_ONE), "what a YES contract pays, for the result `scalar`"),
    "sell-position-floor": Field(
        Amount("contracts, 0 or negative", least=Decimal(-(10**12)), most=Decimal(0)),
        "the position, negative for short, below which an account may not sell; 0 allows no short positions",
    ),
    "fees": Field(Record(_RATES), "where they differ from those of the product"),
}
_PREDICTION_MARKET = Record(
    doc="An event contract.",
    fields={
        **_MARKET,
        "structure": Field(
            Choice(tuple(STRUCTURES)), "price level structure, in place of `tick`; linear_cent by default"
        ),
        "fractional": Field(Flag(), "whether it takes quantities in steps of 0.01 contracts", True),
        "shard": Field(Whole(0, 99), "index of the exchange that trades it (ExDestination 100)", 0),
        "high-volatility": Field(Flag(), "whether RFQs have the short times here", False),
    },
)
_WINDOWS = {
    "confirmation": Field(Duration(), "how long a maker has to confirm a quote that was accepted"),
    "execution": Field(Duration(), "the time from there to the orders in the book"),
}
_RFQS = Record(
    {
        "standard": Field(Record(_WINDOWS), "times of most markets"),
        "high-volatility": Field(Record(_WINDOWS), "times of high volatility markets, among them all combos"),
        "lifetime": Field(Duration(), "after which an RFQ that nobody has accepted expires; 1h"),
        "max-open": Field(Whole(1, 100_000), "RFQs that one account may have open; 100"),
    },
)
_COMBO = Record(
    doc="A collection of events whose markets can be combined.",
    fields={
        "events": Field(
            Entries(
                _TICKER,
                Record(
                    doc="An event.",
                    fields={
                        "markets": Field(Items(_TICKER, unique=True), "its markets", required=True),
                        "exclusive": Field(Flag(), "whether at most one of them comes out YES", True),
                    },
                ),
            ),
            "the events by ticker",
            required=True,
        ),
        "shard": Field(Whole(0, 99), "index of the exchange that trades the combos", 0),
        "minimum-legs": Field(Whole(1, 100), "legs of a combo, at least", 2),
        "maximum-legs": Field(Whole(1, 100), "legs of a combo, at most", 25),
    },
)
_MARGIN_MARKET = Record(
    doc="A perpetual.",
    fields={
        **_MARKET,
        "maximum-price": Field(
            Amount("dollars", above=True), "the highest price of an order; a million dollars"
        ),
        "band": Field(
            Record(
                {
                    "share": Field(Amount("a share", most=_ONE), "a part of the best price", Decimal("0.2")),
                    "ticks": Field(Whole(0, 1_000_000), "ticks", 1000),
                },
            ),
            "how far an order may be away from the best price of its side; a fifth of it, or 1,000 ticks",
        ),
        "banded": Field(Flag(), "whether there is a band at all", True),
    },
)
_SUBACCOUNTS = Field(
    Entries(Whole(1, 63), _DOLLARS), "balances in dollars by number of the subaccount (AllocAccount 79)", {}
)
_POSITIONS = Field(
    Entries(
        _TICKER,
        Record(
            doc="A position.",
            fields={
                "quantity": Field(
                    Amount("contracts, negative for short (NO)", least=Decimal(-(10**12))),
                    "contracts; negative for short (NO)",
                    required=True,
                ),
                "price": Field(
                    Amount("dollars", above=True),
                    "dollars a contract at which it was opened; `middle` by default",
                ),
            },
        ),
    ),
    "what the primary account holds at the start, by ticker; the account `liquidity` holds the other side",
    {},
)
_BALANCE = Field(_DOLLARS, "dollars of the primary account", required=True)
_TIER = Field(Choice(TIERS), "its API usage level, which limits how fast it may ask; no limits by default")
_ACCOUNT = {
    "balance": _BALANCE,
    "tier": _TIER,
    "subaccounts": _SUBACCOUNTS,
    "positions": _POSITIONS,
    "drop-copy": Field(Flag(), "whether it may ask for past reports (EventResendRequest U1)", False),
    "direct-member": Field(Flag(), "whether balances are kept to 0.0001 dollars rather than to cents", True),
    "without-netting": Field(
        Items(Whole(0, 63), unique=True), "subaccounts (0 for the primary one) without netting of groups", ()
    ),
    "customers": Field(
        Entries(
            Text(
                "a PartyID: the member's UUID, `_`, 1 to 16 letters and digits",
                r"[0-9a-fA-F-]{36}_[A-Za-z0-9]{1,16}",
            ),
            Record(
                doc="A customer account.",
                fields={
                    "balance": Field(_DOLLARS, "dollars", required=True),
                    "shards": Field(Entries(_SHARD, _DOLLARS), "balances on further shards, by index", {}),
                    "daily-cap": Field(_DOLLARS, "dollars that it may order in a day with UseCapReservation"),
                },
            ),
        ),
        "customer accounts by PartyID (448), which make the owner a clearing member",
        {},
    ),
}
_PREDICTION_ACCOUNT = Record(
    {
        **_ACCOUNT,
        "shards": Field(
            Entries(
                _SHARD,
                Record(doc="Balances on a shard.", fields={"balance": _BALANCE, "subaccounts": _SUBACCOUNTS}),
            ),
            "balances on further shards, by index",
            {},
        ),
        "allocation": Field(
            Entries(Whole(0, 99), Amount("percent", most=Decimal(100))),
            "percentages of the free cash by shard, 100 in all: every 10 seconds it is divided so",
            {},
        ),
    },
)
_MARGIN_ACCOUNT = Record(_ACCOUNT)
_KEY = Record(
    doc="API keys of one owner.",
    fields={
        "owner": Field(OWNER, "whose account they belong to", required=True),
        "product": Field(Choice(tuple(PRODUCTS)), "on which product; by default on each with an account"),
        "count": Field(Whole(1, 1000), "how many, on each of these products", KEYS_EACH),
        "type": Field(Choice(("ed25519", "rsa")), "which type", "ed25519"),
        "scopes": Field(
            Items(Choice(tuple(sorted(SCOPES))), unique=True),
            "what they may do: listeners and market data need `read`, orders `write`",
            ("read", "write"),
        ),
        "customers": Field(
            Items(Text("a PartyID"), unique=True), "customer accounts that they may trade for; all by default"
        ),
        "restricted-to": Field(Whole(0, 63), "the one subaccount that they may act for; all by default"),
    },
)
_GROUP = Record(
    doc="Prediction markets that net with one another.",
    fields={
        "markets": Field(
            Items(_TICKER, unique=True),
            "their tickers; for directional ones from the one that is likeliest to be decided YES",
            required=True,
        ),
        "kind": Field(
            Choice(tuple(each.value for each in GroupKind)),
            "how their results depend on one another",
            GroupKind.MUTUALLY_EXCLUSIVE.value,
        ),
        "exhaustive": Field(Flag(), "whether one of exclusive ones is sure to be decided YES", False),
    },
)
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = Text("a time of the day such as `03:00`", r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_PAUSE = Record(
    doc="A pause of every week, by the clock of New York.",
    fields={
        "weekday": Field(Choice(WEEKDAYS), "the day", required=True),
        "begins": Field(_TIME, "when it begins", required=True),
        "ends": Field(_TIME, "when it ends, on the same day", required=True),
        "what": Field(Choice(("trading", "exchange")), "what is paused", "trading"),
        "products": Field(
            Items(Choice(tuple(PRODUCTS)), unique=True), "on which products; all by default", tuple(PRODUCTS)
        ),
        "logs-out": Field(Flag(), "whether sessions are logged out at its beginning", True),
        "takes-logons": Field(Flag(), "whether they can log on again while it lasts", True),
    },
)


def _flow() -> Record:
    numbers = {
        "rate": Field(
            Amount("actions a second", most=Decimal(10_000)),
            "orders, amends and cancels a second, on average, over all markets",
        ),
        "makers": Field(
            Whole(0, 1000),
            "traders on each product who keep quotes on both sides of a fair price that moves",
        ),
        "takers": Field(Whole(0, 1000), "traders on each product who take them"),
        "levels": Field(Whole(1, 100), "prices that a maker quotes on each side"),
        "largest": Field(Whole(1, 1_000_000), "contracts of an order, at most"),
        "volatility": Field(
            Amount("a standard deviation", most=Decimal(100)),
            "how far the fair price moves in an hour (one standard deviation): in dollars on "
            "prediction, as a fraction of itself on margin",
        ),
        "bursts": Field(Amount("a share", most=_ONE), "the share of actions that begin a burst of takers"),
        "burst-length": Field(Whole(1, 1000), "orders of a burst"),
        "balance": Field(_DOLLARS, "dollars that each trader begins with, on each shard"),
    }
    # No defaults of fields: what is left out is not passed on to `FlowConfig`, whose defaults are told here.
    defaults = FlowConfig()
    told = {name: getattr(defaults, name.replace("-", "_")) for name in numbers}
    fields = {
        name: attrs.evolve(field, doc=f"{field.doc}; {told[name]} by default")
        for name, field in numbers.items()
    }
    markets = Field(Items(_TICKER, unique=True), "the tickers to trade; all by default", ())
    return Record({**fields, "markets": markets})


def _switch(default: object) -> Shape:
    """Return the shape of an assumption, which has none of its own, by its default."""
    match default:
        case bool():  # before the numbers: True is an int
            return Flag()
        case str():
            return Text("a text")
        case Decimal():
            return Amount("a number", above=True)
    return Whole(0, 1_000_000)


def _assumptions() -> Record:
    return Record(
        {
            shown(field.name): Field(
                _switch(field.default),
                f"see docs/simulated-venue.md; {str(field.default).lower()} by default",
            )
            for field in attrs.fields(Assumptions)
        },
    )


_WHEN = "when"
_DO = "do"


@attrs.frozen
class Step(Shape):
    """An operation with its time and its parameters.

    No Record, since which keys there may be depends on the value of one of them, and since parameters have
    kinds (`parameters`) rather than shapes: a command line gives the same ones.
    """

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return the seconds after which it happens and the `Operation`."""
        if not isinstance(node, Map):
            return self.refuse(node, where, mistakes)
        after: Any = 0.0
        if _DO not in node.entries:
            mistakes.at(node.line, f"{where} has no `{_DO}`", f"add it: {self.wanted()}")
            return WRONG
        if _WHEN in node.entries:
            after = Duration().read(node.entries[_WHEN], f"{where}.{_WHEN}", mistakes)
        word = node.entries[_DO]
        name = word.text if isinstance(word, Scalar) else ""
        if shown(name) not in OPERATIONS:
            mistakes.at(word.line, f"{where}.{_DO} is no operation", did_you_mean(shown(name), OPERATIONS))
            return WRONG
        values = {each: plain(value) for each, value in node.entries.items() if each not in (_WHEN, _DO)}
        found = self._operation(name, values, node, where, mistakes)
        return WRONG if found is None or after is WRONG else (after, found, node.line)

    def _operation(
        self, name: str, values: Mapping[str, object], node: Map, where: str, mistakes: Mistakes
    ) -> Operation | None:
        cls = OPERATIONS[shown(name)]
        # `operation` checks all of this too, but tells the first mistake alone, without its line.
        known = {shown(each.name): each for each in parameters(cls)}
        sound = True
        for each, value in values.items():
            found = known.get(shown(each))
            if found is None:
                what = f"{where}: `{name}` has no parameter `{each}`"
                mistakes.at(node.at(each).line, what, did_you_mean(shown(each), known))
                sound = False
                continue
            try:
                found.kind.read(value)
            except ValueError as error:
                mistakes.at(
                    node.at(each).line, f"{where}.{each}: {error}", f"write {found.kind.word}: {found.doc}"
                )
                sound = False
        if not sound:
            return None
        try:
            return operation(name, values)
        except ConfigurationError as error:
            mistakes.at(node.line, f"{where}: {error}", "see `kalshi-fix venue do --help`")
            return None

    def schema(self) -> dict[str, Any]:
        """Return one object for each operation."""
        return {"oneOf": [self._schema_of(name, cls) for name, cls in OPERATIONS.items()]}

    def _schema_of(self, name: str, cls: type[Operation]) -> dict[str, Any]:
        found = parameters(cls)
        time = {**Duration().schema(), "description": "the time since the beginning; at once by default"}
        return {
            "type": "object",
            "description": " ".join((cls.__doc__ or "").split()),
            "properties": {
                _WHEN: time,
                _DO: {"const": name},
                **{
                    shown(each.name): {
                        "description": each.doc,
                        **({"enum": list(each.kind.choices)} if each.kind.choices else {}),
                    }
                    for each in found
                },
            },
            "required": [_DO, *(shown(each.name) for each in found if each.required)],
            "additionalProperties": False,
        }

    def wanted(self) -> str:
        """Say what to write."""
        return "`{when: 90s, do: pause}` with the operation's parameters beside it"


LAYOUT: Final = Record(
    doc="A simulated venue as it is at the start, for `kalshi-fix venue --scenario FILE`.",
    fields={
        "seed": Field(Whole(0, 2**53), "of everything random; another one each time by default"),
        "markets": Field(
            Record(
                {
                    "prediction": Field(
                        Entries(_TICKER, _PREDICTION_MARKET), "event contracts by ticker", {}
                    ),
                    "margin": Field(Entries(_TICKER, _MARGIN_MARKET), "perpetuals by ticker", {}),
                },
            ),
            "the markets by product; those of the default scenario where none are named",
        ),
        "groups": Field(Entries(_TICKER, _GROUP), "market groups that net, by name", {}),
        "accounts": Field(
            Entries(
                OWNER,
                Record(
                    doc="Who trades.",
                    fields={
                        "prediction": Field(_PREDICTION_ACCOUNT, "the account on prediction"),
                        "margin": Field(_MARGIN_ACCOUNT, "the account on margin"),
                    },
                ),
            ),
            "accounts by owner",
            {},
        ),
        "keys": Field(
            Items(_KEY), f"API keys; {KEYS_EACH} for each owner on each product where none are named", ()
        ),
        "fees": Field(
            Record({product: Field(Record(_RATES), f"fees on {product}") for product in PRODUCTS}),
            "fees by product, where they differ from the published ones",
            {},
        ),
        "limits": Field(
            Record(
                {
                    "sending-time-tolerance": Field(Duration(), "how far SendingTime (52) may be off; 30s"),
                    "logon-timeout": Field(Duration(), "how long a connection may take to log on; 10s"),
                    "max-kept-messages": Field(
                        Whole(1, 10**7), "messages kept for resend for each key on KalshiRT and KalshiPT"
                    ),
                    "max-kept-bytes": Field(Whole(1024, 2**40), "bytes of these messages"),
                    "max-past-events": Field(Whole(0, 10**8), "events of orders kept for drop copy"),
                    "max-unsent": Field(
                        Whole(1024, 2**31), "bytes that may wait for a client that does not read; 16 MiB"
                    ),
                },
            ),
            "what the gateway allows",
            {},
        ),
        "rfqs": Field(_RFQS, "times and limits of RFQs", {}),
        "combos": Field(Entries(_TICKER, _COMBO), "collections that combos are made of, by ticker", {}),
        "maintenance": Field(
            Flag(), "whether there is maintenance on Thursdays from 3 to 5 in New York", False
        ),
        "pauses": Field(Items(_PAUSE), "pauses of every week", ()),
        "schedule": Field(
            Items(Step()),
            "operations and faults of `kalshi-fix venue do`, `when` being the time since the beginning",
            (),
        ),
        "flow": Field(_flow(), "simulated traders; none without this key"),
        "assumptions": Field(_assumptions(), "what is so where the venue's documents are silent", {}),
    },
)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kalshi-fix venue scenario",
        **LAYOUT.schema(),
    }
