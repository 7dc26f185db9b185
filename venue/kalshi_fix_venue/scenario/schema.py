"""The format of a scenario file: every key with its type, range and meaning, as pydantic models.

`file` reads scenario files with these models, and the published JSON Schema is generated from them. The
attributes' docstrings become the descriptions in the schema, which editors show. A default that the receiving
class defines is not repeated here: if the key is absent, no value is passed to that class.
"""

from __future__ import annotations

import re
from datetime import time
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, Union

import attrs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    Strict,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from kalshi_fix_sansio._generated.limits import READING_SCOPES
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.config import MAX_SECONDS
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.config import MAX_SUBACCOUNT
from kalshi_fix_venue.exchange import MarketState
from kalshi_fix_venue.exchange.netting import GroupKind
from kalshi_fix_venue.exchange.prices import STRUCTURES, PriceBand
from kalshi_fix_venue.exchange.terms import MarketResult
from kalshi_fix_venue.flow import FlowConfig
from kalshi_fix_venue.gateway.logins import SCOPES
from kalshi_fix_venue.operations import OPERATIONS, operation
from kalshi_fix_venue.operations.base import Operation
from kalshi_fix_venue.parameters import display_name, parameters
from kalshi_fix_venue.pauses import WEEKDAYS
from kalshi_fix_venue.rate_limits import TIERS
from kalshi_fix_venue.scenario.duration import DURATION, DURATION_FORMAT, seconds_of
from kalshi_fix_venue.scenario.scenario import KEYS_PER_OWNER, MAX_KEYS_PER_OWNER, RESTING_LEVELS
from kalshi_fix_venue.schedule import Step
from kalshi_fix_venue.settings import SETTING, SettingRange, descriptions

MAX_ENTRIES: Final = 2000
"""Maximum number of entries of one mapping or list."""
_DECIMAL: Final = r"-?[0-9]{1,15}(?:\.[0-9]{1,8})?"


class Section(BaseModel):
    """A mapping with known keys, which are written with hyphens."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=display_name,
        use_attribute_docstrings=True,
        coerce_numbers_to_str=True,
    )

    def stated_values(self, *excluded: str) -> dict[str, Any]:
        """Return the values that the file states, by attribute, except the excluded attributes."""
        return {name: getattr(self, name) for name in self.model_fields_set.difference(excluded)}


def mistake(key: str, advice: str) -> PydanticCustomError:
    """Return the error for a key whose value does not fit the values of other keys in its section."""
    return PydanticCustomError("mistake", "{advice}", {"advice": advice, "key": key})


@attrs.frozen
class OneOf:
    """An annotation: the value is one of these words."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept only these words."""
        return core_schema.literal_schema(list(self.words))


def _exact(value: object) -> Decimal:
    """Return a number exactly as it is written."""
    if isinstance(value, bool) or not re.fullmatch(_DECIMAL, str(value)):
        raise PydanticCustomError("decimal", "write a decimal number such as 10 or 0.25")
    return Decimal(str(value))


@attrs.frozen(kw_only=True)
class Number:
    """An annotation: a decimal number, exactly as written, within bounds."""

    ge: Decimal | int | None = None
    gt: Decimal | int | None = None
    le: Decimal | int | None = 10**15

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a number as text, or as a whole number."""
        bounds: dict[str, Any] = {
            name: Decimal(bound) for name, bound in attrs.asdict(self).items() if bound is not None
        }
        return core_schema.no_info_before_validator_function(_exact, core_schema.decimal_schema(**bounds))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the schema of a number, which may also be in quotes."""
        number_schema = handler(schema)
        number_schema["anyOf"][1]["pattern"] = f"^{_DECIMAL}$"
        return number_schema


def _seconds(value: object) -> float:
    seconds = seconds_of(value) if isinstance(value, str) else None
    if seconds is None:
        raise PydanticCustomError("duration", "write {form}", {"form": DURATION_FORMAT})
    if seconds > MAX_SECONDS:
        raise PydanticCustomError("duration", "write a time of at most {most}s", {"most": MAX_SECONDS})
    return seconds


def _positive(seconds: float) -> float:
    if not seconds:
        raise PydanticCustomError("duration", "write a time longer than 0s")
    return seconds


def _index(value: object) -> int:
    if not re.fullmatch("[0-9]{1,9}", str(value), re.ASCII):
        raise PydanticCustomError("index", "write a whole number")
    return int(str(value))


def _clock(value: object) -> time:
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", str(value), re.ASCII):
        raise PydanticCustomError("clock", "write a time of day such as `03:00`")
    return time.fromisoformat(str(value))


def _unique(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(items)) < len(items):
        raise PydanticCustomError("unique", "list each once")
    return items


K = TypeVar("K")
V = TypeVar("V")
Entries = Annotated[dict[K, V], Field(max_length=MAX_ENTRIES)]
Items = Annotated[list[V], Field(max_length=MAX_ENTRIES)]
Names = Annotated[
    tuple[V, ...],
    Field(max_length=MAX_ENTRIES, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_unique),
]
Ticker = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Owner = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$")]
PartyId = Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{36}_[A-Za-z0-9]{1,16}$")]
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Dollars = Annotated[Decimal, Number(ge=0)]
Positive = Annotated[Decimal, Number(gt=0)]
Share = Annotated[Decimal, Number(ge=0, le=1)]
Contracts = Annotated[Decimal, Number(ge=-(10**12))]
Duration = Annotated[
    float, BeforeValidator(_seconds), WithJsonSchema({"type": "string", "pattern": f"^{DURATION}$"})
]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Clock = Annotated[time, BeforeValidator(_clock)]
Shard = Annotated[Whole, Field(ge=0, le=99)]
FurtherShard = Annotated[int, BeforeValidator(_index), Field(ge=1, le=99)]
AnyShard = Annotated[int, BeforeValidator(_index), Field(ge=0, le=99)]
Subaccount = Annotated[int, BeforeValidator(_index), Field(ge=1, le=MAX_SUBACCOUNT)]
PrimaryOrSubaccount = Annotated[Whole, Field(ge=0, le=MAX_SUBACCOUNT)]
Legs = Annotated[Whole, Field(ge=1, le=100)]
Tier = Annotated[str, OneOf(TIERS)]
Scope = Annotated[str, OneOf(READING_SCOPES)]
Structure = Annotated[str, OneOf(tuple(STRUCTURES))]

_SCHEMA_TYPES: Final[dict[object, Any]] = {bool: Flag, int: Whole, tuple[str, ...]: Names[Ticker]}
"""The schema type for each type of a setting, except for numbers with decimals."""


@attrs.frozen
class FromSettings:
    """An annotation: an object of an attrs class, read from its settings (`setting`)."""

    cls: type[Any]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read a model with the class's settings, and create the object from it."""
        fields: dict[str, Any] = {}
        docs = descriptions(self.cls)
        for each in attrs.fields(attrs.resolve_types(self.cls)):
            limits: SettingRange | None = each.metadata.get(SETTING)
            if limits is not None:
                fields[each.name] = (
                    _type_of(each.type, limits),
                    Field(each.default, description=docs[each.name]),
                )
        model = create_model(self.cls.__name__, __base__=Section, __doc__=self.cls.__doc__, **fields)
        return core_schema.no_info_after_validator_function(self.make, handler.generate_schema(model))

    def make(self, section: Section) -> Any:
        """Return the object; settings that are absent keep the defaults of the class.

        Raises:
            ValueError: the class rejects the settings.
        """
        try:
            return self.cls(**section.stated_values())
        except ConfigurationError as error:
            raise ValueError(str(error)) from None


def _type_of(kind: object, limits: SettingRange) -> Any:
    if kind in (Decimal, float):
        return Annotated[Decimal, Number(ge=limits.minimum, le=limits.maximum), AfterValidator(kind)]
    return Annotated[_SCHEMA_TYPES[kind], Field(ge=limits.minimum, le=limits.maximum)]


class _Step(Section):
    """An operation with its time and its parameters."""

    model_config = ConfigDict(populate_by_name=True)
    when: Duration = 0.0
    """Time since the start at which it is performed; at once by default."""
    do: Any


@attrs.frozen
class Scheduled:
    """An annotation: a scheduled operation, which determines the other keys."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read the section with the model of its operation."""
        models: Any = Union[tuple(_model_of(name, cls) for name, cls in OPERATIONS.items())]  # noqa: UP007
        union = Annotated[models, Field(discriminator="do")]
        return core_schema.no_info_after_validator_function(_step, handler.generate_schema(union))


def _model_of(name: str, cls: type[Operation]) -> type[_Step]:
    fields: dict[str, Any] = {"do": (Literal[name], ...)}
    for each in parameters(cls):
        value_schema = {"enum": list(each.kind.choices)} if each.kind.choices else {}
        value_type = Annotated[Any, PlainValidator(each.kind.read), WithJsonSchema(value_schema)]
        fields[each.name] = (value_type, Field(... if each.required else None, description=each.doc))
    return create_model(f"{cls.__name__}Step", __base__=_Step, __doc__=cls.__doc__, **fields)


def _step(section: _Step) -> Step:
    values = section.stated_values()
    after = values.pop("when", 0.0)
    try:
        return Step(after=after, operation=operation(values.pop("do"), values))
    except ConfigurationError as error:
        raise ValueError(str(error)) from None


# Markets


class Fees(Section):
    """Trade fee rates: fractions of price times (1 - price) for prediction, of the price for margin."""

    taker_rate: Share | None = None
    """Fee of the taker."""
    maker_rate: Share | None = None
    """Fee of the maker."""


class Liquidity(Section):
    """The initial resting orders."""

    levels: Annotated[Whole, Field(ge=0, le=100)] = RESTING_LEVELS
    """Number of prices on each side; 0 for an empty book."""
    spacing: Positive | None = None
    """Dollars between neighbouring prices, a multiple of the tick; by default `middle` / 400, or one tick."""
    largest: Annotated[Whole, Field(ge=1, le=1_000_000)] = 100
    """Maximum number of contracts at one price."""


class Market(Section):
    """Settings that markets of both products have."""

    tick: Annotated[Decimal, Number(gt=0, le=1000)] | None = None
    """Prices are multiples of it; by default 0.01 dollars for prediction, 0.0001 for margin."""
    middle: Positive | None = None
    """The price around which orders rest, and at which the flow begins; by default half a dollar for
    prediction, 20 dollars for margin."""
    liquidity: Liquidity | None = None
    """The initial resting orders."""
    position_limit: Positive | None = None
    """Maximum number of contracts that an account may be long or short; no limit by default."""
    state: MarketState = MarketState.ACTIVE
    """The state of the market at the start."""
    result: MarketResult | None = None
    """The result of a market that is determined at the start."""
    result_price: Share | None = None
    """Payout of a YES contract, for the result `scalar`."""
    sell_position_floor: Annotated[Decimal, Number(ge=-(10**12), le=0)] | None = None
    """The lowest position (negative if short) that an account may reach by selling; 0 allows no short
    positions."""
    fees: Fees = Fees()
    """Fees that differ from those of the product."""

    @model_validator(mode="after")
    def _check_state(self) -> Market:
        if self.state.is_decided and self.result is None:
            raise mistake("state", "add a `result`: `yes`, `no` or `scalar`")
        for key in ("result", "result_price"):
            if getattr(self, key) is not None and not self.state.is_decided:
                raise mistake(display_name(key), "remove it, or write `state: determined` or `settled`")
        if self.state is MarketState.INITIALIZED and self.liquidity is not None:
            raise mistake("liquidity", "remove it: a market that is not open yet has no resting orders")
        return self


class PredictionMarket(Market):
    """An event contract."""

    structure: Structure | None = None
    """Price level structure, in place of `tick`; linear_cent by default."""
    fractional: Flag = True
    """Whether it accepts quantities in steps of 0.01 contracts."""
    shard: Shard = 0
    """Index of the exchange that trades it (ExDestination 100)."""
    high_volatility: Flag = False
    """Whether RFQs on this market have the short time limits."""

    @model_validator(mode="after")
    def _check_tick(self) -> PredictionMarket:
        if self.tick is not None and self.structure is not None:
            raise mistake("structure", "remove it, or remove `tick`")
        if self.tick is not None and (self.tick >= 1 or 1 % self.tick):
            raise mistake("tick", "write a divisor of one dollar, such as 0.01")
        return self


class Band(Section):
    """Maximum distance of an order from the best price on its side: the larger of the two distances."""

    share: Share = PriceBand().share
    """The distance as a fraction of the best price."""
    ticks: Annotated[Whole, Field(ge=0, le=1_000_000)] = PriceBand().ticks
    """The distance in ticks."""


class MarginMarket(Market):
    """A perpetual."""

    maximum_price: Positive | None = None
    """The highest price of an order; a million dollars by default."""
    band: Band | None = None
    """Maximum distance of an order from the best price on its side; by default the same as Kalshi's."""
    banded: Flag = True
    """Whether there is a band at all."""

    @model_validator(mode="after")
    def _check_tick(self) -> MarginMarket:
        if None not in (self.tick, self.maximum_price) and self.tick >= self.maximum_price:  # type: ignore[operator]
            raise mistake("tick", "use a tick below `maximum-price`")
        return self


class Markets(Section):
    """The markets by product."""

    prediction: Entries[Ticker, PredictionMarket] = {}
    """Event contracts by ticker."""
    margin: Entries[Ticker, MarginMarket] = {}
    """Perpetuals by ticker."""


class Group(Section):
    """Prediction markets whose positions are netted against one another."""

    markets: Names[Ticker]
    """Their tickers; for directional markets, from the most to the least likely to resolve YES."""
    kind: GroupKind = GroupKind.MUTUALLY_EXCLUSIVE
    """The dependency between their results."""
    exhaustive: Flag = False
    """Whether one of the mutually exclusive markets is certain to resolve YES."""


class Event(Section):
    """An event whose markets can be legs of a combo."""

    markets: Names[Ticker]
    """Its markets."""
    exclusive: Flag = True
    """Whether at most one of them can resolve YES."""


class Combo(Section):
    """A collection of events whose markets can be combined."""

    events: Entries[Ticker, Event]
    """The events by ticker."""
    shard: Shard = 0
    """Index of the exchange that trades the combos."""
    minimum_legs: Legs = 2
    """Minimum number of legs of a combo."""
    maximum_legs: Legs = 25
    """Maximum number of legs of a combo."""

    @model_validator(mode="after")
    def _check_legs(self) -> Combo:
        if self.minimum_legs > self.maximum_legs:
            raise mistake("maximum-legs", "use at least the number of `minimum-legs`")
        return self


# Accounts and keys


class Position(Section):
    """An account's initial position in a market."""

    quantity: Contracts
    """Contracts; negative for short (NO)."""
    price: Positive | None = None
    """Opening price in dollars per contract; `middle` by default."""


class Customer(Section):
    """A customer account at a clearing member."""

    balance: Dollars
    """Dollars."""
    shards: Entries[FurtherShard, Dollars] = {}
    """Balances on other shards, by index."""
    daily_cap: Dollars | None = None
    """Dollars that it may order in a day with UseCapReservation."""


class Balances(Section):
    """Balances on a shard."""

    balance: Dollars
    """Dollars of the primary account."""
    subaccounts: Entries[Subaccount, Dollars] = {}
    """Balances in dollars by subaccount number (AllocAccount 79)."""


class Account(Balances):
    """An account on a product."""

    tier: Tier | None = None
    """Its API usage level, which limits the request rate; no limits by default."""
    positions: Entries[Ticker, Position] = {}
    """Initial positions of the primary account, by ticker; the account `liquidity` has the other side."""
    drop_copy: Flag = False
    """Whether it may request past reports (EventResendRequest U1)."""
    direct_member: Flag = True
    """Whether balances are multiples of 0.0001 dollars rather than of cents."""
    without_netting: Names[PrimaryOrSubaccount] = ()
    """Subaccounts (0 for the primary one) without netting of groups."""
    customers: Entries[PartyId, Customer] = {}
    """Customer accounts by PartyID (448), which make the owner a clearing member."""


class PredictionAccount(Account):
    """A prediction account."""

    shards: Entries[FurtherShard, Balances] = {}
    """Balances on other shards, by index."""
    allocation: Entries[AnyShard, Annotated[Decimal, Number(ge=0, le=100)]] = {}
    """Percentages of the free cash by shard, 100 in total. The cash is divided every 10 seconds."""


class Accounts(Section):
    """The accounts of one owner."""

    prediction: PredictionAccount | None = None
    """The prediction account."""
    margin: Account | None = None
    """The margin account."""

    @model_validator(mode="after")
    def _check_any(self) -> Accounts:
        if not self.by_product():
            raise PydanticCustomError("none", "add `prediction` or `margin` with a balance")
        return self

    def by_product(self) -> dict[str, Account]:
        """Return the owner's accounts by product."""
        both: dict[str, Account | None] = {"prediction": self.prediction, "margin": self.margin}
        return {product: account for product, account in both.items() if account is not None}


class Key(Section):
    """API keys of one owner."""

    owner: Owner
    """The owner of the account to which the keys belong."""
    product: Product | None = None
    """The product of the keys; by default every product on which the owner has an account."""
    count: Annotated[Whole, Field(ge=1, le=MAX_KEYS_PER_OWNER)] = KEYS_PER_OWNER
    """Number of keys on each of these products."""
    type: Literal["ed25519", "rsa"] = "ed25519"
    """The type of the keys."""
    scopes: Names[Scope] = tuple(sorted(SCOPES))
    """Permissions: listeners and market data need `read`; orders need a trading scope."""
    customers: Names[str] | None = None
    """Customer accounts that the keys may trade for; all by default."""
    restricted_to: PrimaryOrSubaccount | None = None
    """The one subaccount that the keys may act for; all by default."""


# Settings


class FeesByProduct(Section):
    """Fees by product."""

    prediction: Fees = Fees()
    """Fees for prediction."""
    margin: Fees = Fees()
    """Fees for margin."""


class Limits(Section):
    """Limits of the gateway."""

    sending_time_tolerance: PositiveDuration | None = None
    """Maximum difference between SendingTime (52) and the venue's clock; 30s by default."""
    logon_timeout: PositiveDuration | None = None
    """Maximum time from the connection to the Logon; 10s by default."""
    max_kept_messages: Annotated[Whole, Field(ge=1, le=10**7)] | None = None
    """Maximum number of messages kept for resend, per key, on KalshiRT and KalshiPT."""
    max_kept_bytes: Annotated[Whole, Field(ge=1024, le=2**40)] | None = None
    """Maximum total size in bytes of the messages kept for resend, per key."""
    max_past_events: Annotated[Whole, Field(ge=0, le=10**8)] | None = None
    """Maximum number of order events kept for drop copy."""
    max_unsent: Annotated[Whole, Field(ge=1024, le=2**31)] | None = None
    """Maximum number of unsent bytes for a client that does not read; 16 MiB by default."""


class RfqWindows(Section):
    """Time limits of RFQs on one kind of market."""

    confirmation: Duration | None = None
    """Time for a maker to confirm an accepted quote."""
    execution: Duration | None = None
    """Time between the confirmation and the entry of the orders into the book."""


class Rfqs(Section):
    """Times and limits of RFQs."""

    standard: RfqWindows | None = None
    """Time limits for markets without high volatility."""
    high_volatility: RfqWindows | None = None
    """Time limits for high volatility markets, including all combos."""
    lifetime: PositiveDuration | None = None
    """Time after which an RFQ without an acceptance expires; 1h by default."""
    max_open: Annotated[Whole, Field(ge=1, le=100_000)] | None = None
    """Maximum number of open RFQs of one account; 100 by default."""


class Pause(Section):
    """A weekly pause, in New York time."""

    weekday: Annotated[str, OneOf(WEEKDAYS)]
    """The day of the pause."""
    begins: Clock
    """Time at which it begins."""
    ends: Clock
    """Time at which it ends, on the same day."""
    what: Literal["trading", "exchange"] = "trading"
    """The scope of the pause."""
    products: Names[Product] = ("prediction", "margin")
    """The products; all by default."""
    logs_out: Flag = True
    """Whether sessions are logged out at its beginning."""
    accepts_logons: Flag = True
    """Whether clients can log on again while it lasts."""

    @model_validator(mode="after")
    def _check_times(self) -> Pause:
        if self.begins >= self.ends:
            raise mistake("ends", "write a time later than `begins`, or two pauses")
        return self


class ScenarioFile(Section):
    """The initial state of a simulated venue, for `kalshi-fix venue --scenario FILE`."""

    seed: Annotated[Whole, Field(ge=0, le=2**53)] | None = None
    """Seed of all random numbers; a different one each time by default."""
    markets: Markets | None = None
    """The markets by product; without this key, those of the default scenario."""
    groups: Entries[Ticker, Group] = {}
    """Groups of markets whose positions are netted against one another, by name."""
    accounts: Entries[Owner, Accounts] = {}
    """Accounts by owner."""
    keys: Items[Key] = []
    """API keys; an account without an entry here gets four."""
    fees: FeesByProduct = FeesByProduct()
    """Fees by product, if they differ from the published ones."""
    limits: Limits = Limits()
    """Limits of the gateway."""
    rfqs: Rfqs | None = None
    """Times and limits of RFQs."""
    combos: Entries[Ticker, Combo] = {}
    """Collections of events that can be combined, by ticker."""
    maintenance: Flag = False
    """Whether trading pauses for the weekly maintenance, as on Kalshi."""
    pauses: Items[Pause] = []
    """Weekly pauses."""
    schedule: Items[Annotated[Step, Scheduled()]] = []
    """Scheduled operations and faults of `kalshi-fix venue do`; `when` is the time since the start."""
    flow: Annotated[FlowConfig | None, FromSettings(FlowConfig)] = None
    """Simulated traders; none without this key."""
    assumptions: Annotated[Assumptions | None, FromSettings(Assumptions)] = None
    """Behaviour that Kalshi's documents leave open."""


class _Schema(GenerateJsonSchema):
    """Omits the titles of fields, which repeat their names, and forbids the keys that pydantic forbids."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 pydantic calls it
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        result = super().dict_schema(schema)
        return {**result, "additionalProperties": False} if "patternProperties" in result else result


@cache
def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, for editors."""
    schema = ScenarioFile.model_json_schema(schema_generator=_Schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "kalshi-fix venue scenario",
    }
