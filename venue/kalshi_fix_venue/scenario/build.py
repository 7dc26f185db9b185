"""Create the scenario that a file describes, and check references between parts of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_venue.config import AccountConfig, CustomerConfig
from kalshi_fix_venue.exchange import (
    MARGIN,
    PREDICTION,
    MarketState,
    PauseState,
    margin_market,
    prediction_market,
)
from kalshi_fix_venue.exchange.accounts import AccountTerms
from kalshi_fix_venue.exchange.fees import MARGIN_FEES, PREDICTION_FEES, FeeSchedule
from kalshi_fix_venue.exchange.market import MarketRules
from kalshi_fix_venue.exchange.netting import MarketGroup
from kalshi_fix_venue.exchange.prices import LINEAR, PriceBand
from kalshi_fix_venue.flow.prices import DEFAULT_PRICES, default_step, round_to_tick
from kalshi_fix_venue.gateway.rfq import ComboCollection, ComboEvent, RfqSettings
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.operations.status import belongs_to_venue
from kalshi_fix_venue.pauses import MAINTENANCE, WEEKDAYS, WeeklyPause
from kalshi_fix_venue.scenario import schema
from kalshi_fix_venue.scenario.scenario import MARKETS, OWNER, Keys, Market, Scenario
from kalshi_fix_venue.scenario.schema import ScenarioFile
from kalshi_fix_venue.schedule import InitialPosition, Step

MAX_KEYS: Final = 5000
"""Maximum number of API keys of a scenario: creating an RSA key can take most of a second."""
_FEES = {PREDICTION: PREDICTION_FEES, MARGIN: MARGIN_FEES}
_STEPS_TO_STATE: dict[MarketState, tuple[str, ...]] = {
    MarketState.INITIALIZED: (),
    MarketState.ACTIVE: (),
    MarketState.INACTIVE: ("halt",),
    MarketState.CLOSED: ("close",),
    MarketState.DETERMINED: ("determine",),
    MarketState.DISPUTED: ("determine", "dispute"),
    MarketState.AMENDED: ("determine", "dispute", "determine"),
    MarketState.SETTLED: ("settle",),
}
"""Operations that bring a market to its initial state."""
_OPERATIONS_WITH_RESULT = ("determine", "settle")
_PAUSE_STATES = {"trading": PauseState.TRADING_PAUSED, "exchange": PauseState.EXCHANGE_PAUSED}
ValuePath = tuple[str | int, ...]
"""The keys and indexes that lead to a value in the file."""
AnyMarket = schema.PredictionMarket | schema.MarginMarket


def build_scenario(file: ScenarioFile) -> Scenario:
    """Return the scenario of a file whose references are valid."""
    markets = _markets(file)
    flow = file.flow
    return Scenario(
        markets=markets,
        accounts=tuple(_accounts(file)),
        keys=tuple(_keys(file)),
        settings=_settings(file),
        positions=tuple(_initial_positions(file, markets)),
        steps=(*_steps_to_states(file), *file.schedule),
        flow=None if flow is None else attrs.evolve(flow, seed=file.seed or 0),
        seed=file.seed,
    )


def inconsistent_values(file: ScenarioFile) -> Iterator[tuple[ValuePath, str]]:
    """Yield the path of each value that does not fit the rest of the file, and the remedy."""
    markets = _markets(file)
    tickers = {product: {each.rules.ticker: each for each in listed} for product, listed in markets.items()}
    all_tickers = {**tickers[PREDICTION], **tickers[MARGIN]}
    yield from _wrong_prices_and_quantities(file, tickers)
    references: list[tuple[ValuePath, str, Iterable[str]]] = [
        (("groups", name, "markets", number), ticker, tickers[PREDICTION])
        for name, group in file.groups.items()
        for number, ticker in enumerate(group.markets)
    ]
    if file.flow is not None:
        references += [
            (("flow", "markets", n), ticker, all_tickers) for n, ticker in enumerate(file.flow.markets)
        ]
    for number, step in enumerate(file.schedule):
        market, owner = getattr(step.operation, "market", None), getattr(step.operation, "owner", None)
        if market is not None:
            references.append((("schedule", number, "market"), market, all_tickers))
        # Owners that the command line adds are not known here; their names all begin with `OWNER`.
        if owner is not None and file.accounts and not owner.startswith(OWNER):
            references.append((("schedule", number, "owner"), owner, file.accounts))
    for number, key in enumerate(file.keys):
        references.append((("keys", number, "owner"), key.owner, file.accounts))
        accounts = file.accounts[key.owner].by_product() if key.owner in file.accounts else {}
        if accounts and key.product is not None and key.product not in accounts:
            yield ("keys", number, "product"), f"add accounts.{key.owner}.{key.product}"
            continue
        for product in accounts if key.product is None else (key.product,):
            references += [
                (("keys", number, "customers", n), customer, accounts[product].customers)
                for n, customer in enumerate(key.customers or ())
                if product in accounts
            ]
    for path, name, valid_names in references:
        if name not in valid_names:
            yield path, did_you_mean(name, valid_names)
    if sum(keys.count for keys in _keys(file)) > MAX_KEYS:
        yield ("keys",), f"use at most {MAX_KEYS} keys in all"
    for owner in file.accounts:
        if belongs_to_venue(owner):
            yield (
                ("accounts", owner),
                f"choose another name: `{owner}` is reserved for the venue's own accounts",
            )


def _wrong_prices_and_quantities(
    file: ScenarioFile, tickers: dict[str, dict[str, Market]]
) -> Iterator[tuple[ValuePath, str]]:
    """Yield the paths of prices and quantities that their markets do not accept, and the remedies."""
    for product, ticker, section in _market_sections(file):
        rules, path = tickers[product][ticker].rules, ("markets", product, ticker)
        low, high = rules.minimum_price, rules.maximum_price
        if section.middle is not None and not low < section.middle < high:
            yield (*path, "middle"), f"write a price between {low} and {high}"
        liquidity = section.liquidity
        if liquidity is not None and liquidity.spacing is not None and liquidity.spacing % rules.tick:
            yield (*path, "liquidity", "spacing"), f"write a multiple of the tick {rules.tick}"
    for owner, product, account in _account_sections(file):
        for ticker, position in account.positions.items():
            position_path = ("accounts", owner, product, "positions", ticker)
            market = tickers[product].get(ticker)
            if market is None:
                yield (
                    position_path,
                    f"{ticker} is not a {product} market; {did_you_mean(ticker, tickers[product])}",
                )
                continue
            if not market.rules.accepts_quantity(abs(position.quantity)):
                step, maximum = market.rules.quantity_step, market.rules.maximum_quantity
                yield (
                    (*position_path, "quantity"),
                    f"write a multiple of {step} between -{maximum} and {maximum}, except 0",
                )
            if position.price is not None and not market.rules.accepts_price(position.price):
                yield (*position_path, "price"), "write a price that the market accepts"


def _market_sections(file: ScenarioFile) -> Iterator[tuple[str, str, AnyMarket]]:
    if file.markets is not None:
        for ticker, market in file.markets.prediction.items():
            yield PREDICTION, ticker, market
        for ticker, perpetual in file.markets.margin.items():
            yield MARGIN, ticker, perpetual


def _account_sections(file: ScenarioFile) -> Iterator[tuple[str, str, schema.Account]]:
    for owner, accounts in file.accounts.items():
        for product, account in accounts.by_product().items():
            yield owner, product, account


# Markets


def _markets(file: ScenarioFile) -> dict[str, tuple[Market, ...]]:
    if file.markets is None:
        return dict(MARKETS)
    listed = list(_market_sections(file))
    return {
        product: tuple(
            _market(product, ticker, each)
            for listed_product, ticker, each in listed
            if listed_product == product
        )
        for product in (PREDICTION, MARGIN)
    }


def _market(product: str, ticker: str, section: AnyMarket) -> Market:
    rules = _rules(product, ticker, section)
    liquidity = section.liquidity or schema.Liquidity()
    middle = DEFAULT_PRICES[product] if section.middle is None else section.middle
    spacing = default_step(middle, rules.tick) if liquidity.spacing is None else liquidity.spacing
    # Rounded to a tick: orders rest at prices that the market accepts.
    middle = round_to_tick(middle, rules.tick)
    return Market(rules, middle, spacing, liquidity.levels if rules.opened else 0, liquidity.largest)


def _rules(product: str, ticker: str, section: AnyMarket) -> MarketRules:
    changes: dict[str, Any] = {
        "position_limit": section.position_limit,
        "sell_position_floor": section.sell_position_floor,
        "opened": section.state is not MarketState.INITIALIZED,
        "fees": _fees(product, section.fees) if section.fees.stated_values() else None,
    }
    if isinstance(section, schema.PredictionMarket):
        rules = prediction_market(
            ticker,
            structure=section.structure or LINEAR,
            tick=section.tick,
            fractional=section.fractional,
            shard=section.shard,
        )
        changes["high_volatility"] = section.high_volatility
    else:
        rules = margin_market(ticker) if section.tick is None else margin_market(ticker, tick=section.tick)
        if section.maximum_price is not None:
            changes["maximum_price"] = section.maximum_price
        if section.band is not None:
            changes["band"] = PriceBand(**section.band.stated_values())
        if not section.banded:
            changes["band"] = None
    return attrs.evolve(rules, **changes)


def _fees(product: str, section: schema.Fees) -> FeeSchedule:
    return attrs.evolve(_FEES[product], **section.stated_values())


def _steps_to_states(file: ScenarioFile) -> Iterator[Step]:
    """Yield the operations that bring markets to their initial states."""
    for _, ticker, section in _market_sections(file):
        result = {"result": section.result, "price": section.result_price}
        for name in _STEPS_TO_STATE[section.state]:
            values = {"market": ticker} | (result if name in _OPERATIONS_WITH_RESULT else {})
            yield Step(after=0.0, operation=operation(name, values))


# Accounts and keys


def _accounts(file: ScenarioFile) -> Iterator[AccountConfig]:
    for owner, product, account in _account_sections(file):
        yield AccountConfig(
            owner=owner,
            product=product,
            terms=AccountTerms(
                direct_member=account.direct_member, without_netting=frozenset(account.without_netting)
            ),
            customers=tuple(
                CustomerConfig(
                    party_id=party_id, on_shards=customer.shards, **customer.stated_values("shards")
                )
                for party_id, customer in account.customers.items()
            ),
            on_shards={
                shard: {0: balances.balance, **balances.subaccounts}
                for shard, balances in getattr(account, "shards", {}).items()
            },
            **account.stated_values("direct_member", "without_netting", "customers", "shards", "positions"),
        )


def _initial_positions(
    file: ScenarioFile, markets: dict[str, tuple[Market, ...]]
) -> Iterator[InitialPosition]:
    middles = {(product, m.rules.ticker): m.middle for product, listed in markets.items() for m in listed}
    for owner, product, account in _account_sections(file):
        for ticker, position in account.positions.items():
            price = position.price or middles[product, ticker]
            yield InitialPosition(
                product=product, owner=owner, ticker=ticker, quantity=position.quantity, price=price
            )


def _keys(file: ScenarioFile) -> Iterator[Keys]:
    """Yield the keys in the file, then default keys for accounts without any."""
    without_keys = {(owner, product): None for owner, product, _ in _account_sections(file)}
    for key in file.keys:
        accounts = file.accounts[key.owner].by_product() if key.owner in file.accounts else {}
        for product in accounts if key.product is None else (key.product,):
            without_keys.pop((key.owner, product), None)
            yield Keys(
                owner=key.owner,
                product=product,
                count=key.count,
                rsa=key.type == "rsa",
                scopes=frozenset(key.scopes),
                customers=None if key.customers is None else frozenset(key.customers),
                restricted_to=key.restricted_to,
            )
    for owner, product in without_keys:
        yield Keys(owner=owner, product=product)


# Settings


def _settings(file: ScenarioFile) -> dict[str, Any]:
    by_product = {PREDICTION: file.fees.prediction, MARGIN: file.fees.margin}
    settings = {
        "fees": {
            product: _fees(product, fees) for product, fees in by_product.items() if fees.stated_values()
        },
        "pauses": tuple(_pauses(file)),
        "market_groups": tuple(
            MarketGroup(name=name, **group.stated_values()) for name, group in file.groups.items()
        ),
        "rfqs": _rfqs(file.rfqs),
        "combos": tuple(_combos(file)),
        "assumptions": file.assumptions,
    }
    # For absent keys, the defaults of `VenueConfig` apply.
    return file.limits.stated_values() | {name: value for name, value in settings.items() if value}


def _rfqs(section: schema.Rfqs | None) -> RfqSettings | None:
    if section is None:
        return None
    defaults, changes = RfqSettings(), section.stated_values()
    for name in changes.keys() & {"standard", "high_volatility"}:
        changes[name] = attrs.evolve(getattr(defaults, name), **changes[name].stated_values())
    return attrs.evolve(defaults, **changes)


def _combos(file: ScenarioFile) -> Iterator[ComboCollection]:
    for ticker, combo in file.combos.items():
        events = tuple(
            ComboEvent(ticker=event, **legs.stated_values()) for event, legs in combo.events.items()
        )
        yield ComboCollection(ticker=ticker, events=events, **combo.stated_values("events"))


def _pauses(file: ScenarioFile) -> Iterator[WeeklyPause]:
    if file.maintenance:
        yield MAINTENANCE
    for pause in file.pauses:
        yield WeeklyPause(
            weekday=WEEKDAYS.index(pause.weekday),
            state=_PAUSE_STATES[pause.what],
            **pause.stated_values("weekday", "what"),
        )
