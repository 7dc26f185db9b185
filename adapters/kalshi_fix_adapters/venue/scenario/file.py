"""Reads a scenario file. Every mistake is told with file, line, what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.config import AccountConfig, CustomerConfig
from kalshi_fix_adapters.venue.exchange import (
    MARGIN,
    PREDICTION,
    MarketState,
    PauseState,
    margin_market,
    prediction_market,
)
from kalshi_fix_adapters.venue.exchange.accounts import AccountTerms
from kalshi_fix_adapters.venue.exchange.fees import MARGIN_FEES, PREDICTION_FEES, FeeSchedule
from kalshi_fix_adapters.venue.exchange.market import MarketRules
from kalshi_fix_adapters.venue.exchange.netting import GroupKind, MarketGroup
from kalshi_fix_adapters.venue.exchange.prices import LINEAR, PriceBand
from kalshi_fix_adapters.venue.flow import FlowConfig, is_trader
from kalshi_fix_adapters.venue.gateway.rfq import ComboCollection, ComboEvent, RfqSettings
from kalshi_fix_adapters.venue.liquidity import LIQUIDITY
from kalshi_fix_adapters.venue.operations import operation
from kalshi_fix_adapters.venue.pauses import MAINTENANCE, WeeklyPause
from kalshi_fix_adapters.venue.programme import Held, Step
from kalshi_fix_adapters.venue.scenario.layout import LAYOUT, WEEKDAYS
from kalshi_fix_adapters.venue.scenario.mistakes import Mistakes
from kalshi_fix_adapters.venue.scenario.nodes import Node, read_bytes, read_file
from kalshi_fix_adapters.venue.scenario.scenario import MARKETS, OWNER, Keys, Market, Scenario
from kalshi_fix_adapters.venue.scenario.shapes import Section, read_root
from kalshi_fix_sansio.errors import ConfigurationError

MOST_KEYS = 5000
"""API keys of a scenario: making one takes time, an RSA key a good part of a second."""
_MIDDLES = {PREDICTION: Decimal("0.5"), MARGIN: Decimal(20)}
_SPACINGS_IN_MIDDLE = 400
_FEES = {PREDICTION: PREDICTION_FEES, MARGIN: MARGIN_FEES}
_STEPS_TO: dict[MarketState, tuple[str, ...]] = {
    MarketState.INITIALIZED: (),
    MarketState.ACTIVE: (),
    MarketState.INACTIVE: ("halt",),
    MarketState.CLOSED: ("close",),
    MarketState.DETERMINED: ("determine",),
    MarketState.DISPUTED: ("determine", "dispute"),
    MarketState.AMENDED: ("determine", "dispute", "determine"),
    MarketState.SETTLED: ("settle",),
}
"""What is done to a market that begins in a state."""
_WITH_RESULT = ("determine", "settle")
_PAUSED = {"trading": PauseState.TRADING_PAUSED, "exchange": PauseState.EXCHANGE_PAUSED}


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        ScenarioError: it cannot be used; all mistakes that could be found are in it.
    """
    return _scenario(read_file(path), str(path))


def parse_scenario(data: bytes, name: str = "scenario.yaml") -> Scenario:
    """Read what stands in a scenario file; `name` is what mistakes call it.

    Raises:
        ScenarioError: it cannot be used; all mistakes that could be found are in it.
    """
    return _scenario(read_bytes(data, name), name)


def _scenario(node: Node, file: str) -> Scenario:
    # Three readings: the form of each value, then what refers to other parts of the file, and at last what
    # the venue itself checks, which tells one mistake alone.
    mistakes = Mistakes(file)
    found = read_root(LAYOUT, node, mistakes)
    reader = _Reader(mistakes, found)
    scenario = reader.scenario()
    mistakes.raise_any()
    try:
        # Everything that the venue itself checks; the keys are made later.
        attrs.evolve(scenario, keys=()).config({})
    except ConfigurationError as error:
        mistakes.at(found.line, str(error), "correct it")
        mistakes.raise_any()
    return scenario


@attrs.define
class _Reader:
    """Makes a scenario of what stood in a file, and checks what refers to other parts of it.

    Also where something is wrong already, so that all mistakes are told at once: what may follow from another
    one is not told.
    """

    mistakes: Mistakes
    found: Section
    markets: dict[str, tuple[Market, ...]] = attrs.field(init=False, factory=dict)
    held: list[Held] = attrs.field(init=False, factory=list)
    steps: list[Step] = attrs.field(init=False, factory=list)

    def _tell(self, section: Section, key: str, what: str, advice: str) -> None:
        """Tell what is wrong with a key, unless that may follow from what is wrong beside it."""
        if section.sound:
            self.mistakes.at(section.at(key), what, advice)

    def scenario(self) -> Scenario:
        """Return the scenario. What is wrong is told and left out."""
        found = self.found
        self.markets = self._markets()
        accounts = tuple(self._accounts())
        keys = tuple(self._keys())
        for after, done, line in found["schedule"]:
            self._check_operation(done, line)
            self.steps.append(Step(after=after, operation=done))
        return Scenario(
            markets=self.markets,
            accounts=accounts,
            keys=keys,
            settings=self._settings(),
            held=tuple(self.held),
            steps=tuple(self.steps),
            flow=self._flow(),
            seed=found["seed"],
        )

    # Markets

    def _markets(self) -> dict[str, tuple[Market, ...]]:
        section = self.found["markets"]
        if section is None:
            return dict(MARKETS)
        return {
            product: tuple(
                self._market(product, ticker, section[product][ticker]) for ticker in section[product]
            )
            for product in (PREDICTION, MARGIN)
        }

    def _market(self, product: str, ticker: str, section: Section) -> Market:
        rules = self._rules(product, ticker, section)
        middle = section["middle"]
        if middle is None:
            middle = _MIDDLES[product]
        elif not rules.minimum_price < middle < rules.maximum_price:
            what = f"the middle of {ticker} is {middle}"
            advice = f"write a price between {rules.minimum_price} and {rules.maximum_price}"
            self._tell(section, "middle", what, advice)
        liquidity = section["liquidity"] or Section(levels=2, spacing=None, largest=100)
        spacing = liquidity["spacing"]
        if spacing is None:
            steps = (middle / _SPACINGS_IN_MIDDLE / rules.tick).to_integral_value()
            spacing = max(rules.tick, steps * rules.tick)
        elif spacing % rules.tick:
            what = f"the spacing of {ticker} is {spacing}, which is no multiple of its tick {rules.tick}"
            self._tell(liquidity, "spacing", what, "write a multiple of the tick")
        # Orders rest at prices that the market takes.
        middle = (middle / rules.tick).to_integral_value() * rules.tick
        self._state(ticker, section)
        if not rules.opened and section["liquidity"] is not None:
            what = f"{ticker} has `liquidity` but is not open yet"
            self._tell(section, "liquidity", what, "remove it: nothing can rest there")
        return Market(
            rules, middle, spacing, liquidity["levels"] if rules.opened else 0, liquidity["largest"]
        )

    def _rules(self, product: str, ticker: str, section: Section) -> MarketRules:
        changes: dict[str, Any] = {
            "position_limit": section["position-limit"],
            "sell_position_floor": section["sell-position-floor"],
            "opened": section["state"] != MarketState.INITIALIZED.value,
        }
        if section["fees"] is not None:
            changes["fees"] = _fees(product, section["fees"])
        tick = section["tick"]
        if product == MARGIN:
            if section["maximum-price"] is not None:
                changes["maximum_price"] = section["maximum-price"]
            band = section["band"]
            if band is not None:
                changes["band"] = PriceBand(share=band["share"], ticks=band["ticks"])
            if not section["banded"]:
                changes["band"] = None
            rules = attrs.evolve(margin_market(ticker), **changes)
        else:
            if tick is not None and section["structure"] is not None:
                what = f"{ticker} has both a `tick` and a `structure`"
                self._tell(section, "structure", what, "keep one of the two")
            rules = prediction_market(
                ticker,
                structure=section["structure"] or LINEAR,
                fractional=section["fractional"],
                shard=section["shard"],
            )
            rules = attrs.evolve(rules, high_volatility=section["high-volatility"], **changes)
        if tick is None:
            return rules
        highest = rules.maximum_price if product == MARGIN else 1 - tick
        if tick >= highest or (product == PREDICTION and highest % tick):
            what = f"the tick of {ticker} is {tick}"
            advice = (
                "write a part of a dollar that divides it, such as 0.01"
                if product == PREDICTION
                else "write less"
            )
            self._tell(section, "tick", what, advice)
        return attrs.evolve(rules, tick=tick, minimum_price=tick, maximum_price=highest)

    def _state(self, ticker: str, section: Section) -> None:
        """Have a market brought to its state at the beginning."""
        state = MarketState(section["state"])
        for key in ("result", "result-price"):
            if section[key] is not None and not state.is_decided:
                what = f"{ticker} has a `{key}` but is {section['state']}"
                self._tell(section, key, what, "remove it, or write `state: determined` or `settled`")
        result: dict[str, object] = {}
        if state.is_decided:
            if section["result"] is None:
                what = f"{ticker} is {section['state']} and has no `result`"
                self._tell(section, "state", what, "add it: `yes`, `no` or `scalar`")
                return
            result["result"] = section["result"]
            if section["result-price"] is not None:
                result["price"] = section["result-price"]
        for name in _STEPS_TO[state]:
            values = {"market": ticker} | (result if name in _WITH_RESULT else {})
            self.steps.append(Step(after=0.0, operation=operation(name, values)))

    def _tickers(self, product: str) -> Iterable[str] | None:
        """Return the tickers that the file has on a product, also those with mistakes; None if that cannot be
        known."""
        section = self.found["markets"]
        if "markets" in self.found.wrong or (section is not None and product in section.wrong):
            return None
        if section is None:
            return [market.rules.ticker for market in MARKETS[product]]
        return [*section[product], *getattr(section[product], "wrong", ())]

    def _known_ticker(self, ticker: str, line: int, where: str, product: str | None = None) -> bool:
        known: list[str] = []
        for each in (PREDICTION, MARGIN) if product is None else (product,):
            tickers = self._tickers(each)
            if tickers is None:
                return False
            known.extend(tickers)
        if ticker in known:
            return True
        self.mistakes.at(line, f"{where} names the unknown market `{ticker}`", did_you_mean(ticker, known))
        return False

    # Accounts and keys

    def _owners(self) -> Collection[str] | None:
        """Return who has an account, also where something is wrong with it; None if that cannot be known."""
        if "accounts" in self.found.wrong:
            return None
        accounts = self.found["accounts"]
        return {*accounts, *getattr(accounts, "wrong", ())}

    def _accounts(self) -> Iterator[AccountConfig]:
        for owner, products in self.found["accounts"].items():
            if owner == LIQUIDITY or is_trader(owner):
                what = f"the name `{owner}` is kept for accounts of the venue's own"
                self.mistakes.at(owner.line, what, "choose another one")
                continue
            if products.sound and all(products[product] is None for product in (PREDICTION, MARGIN)):
                what = f"accounts.{owner} has no account"
                self.mistakes.at(owner.line, what, "add `prediction` or `margin` with a balance")
            for product in (PREDICTION, MARGIN):
                section = products[product]
                if section is None:
                    continue
                self._hold(str(owner), product, section["positions"])
                yield AccountConfig(
                    owner=str(owner),
                    product=product,
                    balance=section["balance"],
                    drop_copy=section["drop-copy"],
                    terms=AccountTerms(
                        direct_member=section["direct-member"],
                        without_netting=frozenset(section["without-netting"]),
                    ),
                    customers=tuple(
                        CustomerConfig(
                            party_id=str(party_id),
                            balance=customer["balance"],
                            on_shards=dict(customer["shards"]),
                            daily_cap=customer["daily-cap"],
                        )
                        for party_id, customer in section["customers"].items()
                    ),
                    tier=section["tier"],
                    allocation=dict(section.get("allocation", {})),
                    subaccounts=dict(section["subaccounts"]),
                    on_shards={
                        shard: {0: on["balance"], **on["subaccounts"]}
                        for shard, on in section.get("shards", {}).items()
                    },
                )

    def _hold(self, owner: str, product: str, positions: Section) -> None:
        """Have an account hold positions at the beginning."""
        markets = {market.rules.ticker: market for market in self.markets.get(product, ())}
        for ticker, section in positions.items():
            if not self._known_ticker(ticker, positions.at(ticker), f"a position of {owner}", product):
                continue
            if ticker not in markets:
                continue  # Something is wrong with it.
            market, quantity = markets[str(ticker)], section["quantity"]
            if not market.rules.accepts_quantity(abs(quantity)):
                what = f"a position of {owner} in {ticker} is {quantity} contracts"
                advice = f"write a multiple of {market.rules.quantity_step} that is not 0"
                self._tell(section, "quantity", what, advice)
            price = market.middle if section["price"] is None else section["price"]
            if not market.rules.accepts_price(price):
                what = f"the price of {owner}'s position in {ticker} is {price}"
                self._tell(section, "price", what, "write a price that the market takes")
            self.held.append(
                Held(product=product, owner=owner, ticker=str(ticker), quantity=quantity, price=price)
            )

    def _keys(self) -> Iterator[Keys]:
        accounts, owners = self.found["accounts"], self._owners()
        named: set[tuple[str, str]] = set()
        total = 0
        for section in self.found["keys"]:
            owner = section["owner"]
            if owners is not None and owner not in owners:
                what = f"the keys of `{owner}` belong to nobody"
                self.mistakes.at(owner.line, what, did_you_mean(owner, owners))
            if owner not in accounts or accounts[owner].wrong:
                continue
            having = [product for product in (PREDICTION, MARGIN) if accounts[owner][product] is not None]
            if section["product"] is not None and section["product"] not in having:
                what = f"`{owner}` has keys but no account on {section['product']}"
                self._tell(section, "product", what, f"add accounts.{owner}.{section['product']}")
                continue
            for product in having if section["product"] is None else [section["product"]]:
                for customer in section["customers"] or ():
                    customers = accounts[owner][product]["customers"]
                    known = {*customers, *getattr(customers, "wrong", ())}
                    if customer not in known and "customers" not in accounts[owner][product].wrong:
                        what = f"`{customer}` is no customer of `{owner}` on {product}"
                        self.mistakes.at(customer.line, what, did_you_mean(customer, known))
                named.add((owner, product))
                total += section["count"]
                yield Keys(
                    owner=str(owner),
                    product=product,
                    count=section["count"],
                    rsa=section["type"] == "rsa",
                    scopes=frozenset(section["scopes"]),
                    customers=None
                    if section["customers"] is None
                    else frozenset(map(str, section["customers"])),
                    restricted_to=section["restricted-to"],
                )
        if total > MOST_KEYS:
            what = f"there are {total} API keys in all"
            self.mistakes.at(self.found.at("keys"), what, f"make do with {MOST_KEYS}")
        for owner, products in accounts.items():
            for product in (PREDICTION, MARGIN):
                if products[product] is not None and (owner, product) not in named:
                    yield Keys(owner=str(owner), product=product)

    # The rest

    def _check_operation(self, done: Any, line: int) -> None:
        market, owner = getattr(done, "market", None), getattr(done, "owner", None)
        if market is not None:
            self._known_ticker(market, line, f"`{done.NAME}`")
        owners = self._owners()
        # Owners that the command line adds are not known here; they are all named after `OWNER`.
        if owner is not None and owners and owner not in owners and not owner.startswith(OWNER):
            what = f"`{done.NAME}` names `{owner}`, who has no account"
            self.mistakes.at(line, what, did_you_mean(owner, owners))

    def _flow(self) -> FlowConfig | None:
        section = self.found["flow"]
        if section is None:
            return None
        for ticker in section["markets"]:
            self._known_ticker(ticker, ticker.line, "the flow")
        given = _given(section)
        for name in ("rate", "volatility", "bursts"):
            if name in given:
                given[name] = float(given[name])
        given["markets"] = tuple(str(ticker) for ticker in section["markets"])
        try:
            return FlowConfig(**given, seed=self.found["seed"] or 0)
        except ConfigurationError as error:
            self.mistakes.at(section.line, str(error), "correct it")
            return None

    def _settings(self) -> dict[str, Any]:
        found = self.found
        settings: dict[str, Any] = {
            "fees": {product: _fees(product, section) for product, section in _given(found["fees"]).items()},
            "pauses": tuple(self._pauses()),
            "market_groups": tuple(self._groups()),
            "rfqs": found["rfqs"] and _rfqs(found["rfqs"]),
            "combos": tuple(self._combos()),
            "assumptions": found["assumptions"] and Assumptions(**_given(found["assumptions"])),
        }
        # What the file says nothing of has the default of `VenueConfig`.
        return _given(found["limits"]) | {name: value for name, value in settings.items() if value}

    def _pauses(self) -> Iterator[WeeklyPause]:
        if self.found["maintenance"]:
            yield MAINTENANCE
        for section in self.found["pauses"]:
            begins, ends = time.fromisoformat(section["begins"]), time.fromisoformat(section["ends"])
            if begins >= ends:
                what = f"a pause ends at {section['ends']}, before it begins at {section['begins']}"
                self._tell(section, "ends", what, "write a later time, or two pauses for two days")
                continue
            yield WeeklyPause(
                weekday=WEEKDAYS.index(section["weekday"]),
                begins=begins,
                ends=ends,
                state=_PAUSED[section["what"]],
                products=section["products"],
                logs_out=section["logs-out"],
                takes_logons=section["takes-logons"],
            )

    def _groups(self) -> Iterator[MarketGroup]:
        for name, section in self.found["groups"].items():
            for ticker in section["markets"]:
                self._known_ticker(ticker, ticker.line, f"the group {name}", PREDICTION)
            yield MarketGroup(
                name=str(name),
                markets=tuple(str(ticker) for ticker in section["markets"]),
                kind=GroupKind(section["kind"]),
                exhaustive=section["exhaustive"],
            )

    def _combos(self) -> Iterator[ComboCollection]:
        for ticker, section in self.found["combos"].items():
            if section["minimum-legs"] > section["maximum-legs"]:
                what = f"a combo of {ticker} has at least {section['minimum-legs']} legs and at most fewer"
                self._tell(section, "maximum-legs", what, "write no less than `minimum-legs`")
            yield ComboCollection(
                ticker=str(ticker),
                events=tuple(
                    ComboEvent(
                        ticker=str(event),
                        markets=tuple(str(market) for market in legs["markets"]),
                        exclusive=legs["exclusive"],
                    )
                    for event, legs in section["events"].items()
                ),
                shard=section["shard"],
                minimum_legs=section["minimum-legs"],
                maximum_legs=section["maximum-legs"],
            )


def _given(section: Section) -> dict[str, Any]:
    """Return what stands in a section, by attribute. What is left out keeps its default, which is not known
    here."""
    return {key.replace("-", "_"): value for key, value in section.items() if value is not None}


def _fees(product: str, section: Section) -> FeeSchedule:
    return attrs.evolve(_FEES[product], **_given(section))


def _rfqs(section: Section) -> RfqSettings:
    changes = _given(section)
    for name in changes.keys() & {"standard", "high_volatility"}:
        changes[name] = attrs.evolve(getattr(RfqSettings(), name), **_given(changes[name]))
    return RfqSettings(**changes)
