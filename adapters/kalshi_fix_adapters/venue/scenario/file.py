"""Reads a scenario file. Every mistake is told with file, line, what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.config import AccountConfig
from kalshi_fix_adapters.venue.exchange import (
    MARGIN,
    PREDICTION,
    MarketState,
    margin_market,
    prediction_market,
)
from kalshi_fix_adapters.venue.exchange.fees import MARGIN_FEES, PREDICTION_FEES
from kalshi_fix_adapters.venue.exchange.market import MarketRules
from kalshi_fix_adapters.venue.flow import FlowConfig, is_trader
from kalshi_fix_adapters.venue.gateway.rfq import ComboCollection, ComboEvent, RfqSettings
from kalshi_fix_adapters.venue.liquidity import LIQUIDITY
from kalshi_fix_adapters.venue.operations import operation
from kalshi_fix_adapters.venue.programme import Step
from kalshi_fix_adapters.venue.scenario.layout import LAYOUT
from kalshi_fix_adapters.venue.scenario.mistakes import Mistakes, did_you_mean
from kalshi_fix_adapters.venue.scenario.nodes import Node, read_bytes, read_file
from kalshi_fix_adapters.venue.scenario.scenario import MARKETS, Keys, Market, Scenario
from kalshi_fix_adapters.venue.scenario.shapes import Section, read_root
from kalshi_fix_sansio.errors import ConfigurationError

MOST_KEYS = 5000
"""API keys of a scenario: making one takes time, an RSA key a good part of a second."""
_MIDDLES = {PREDICTION: Decimal("0.5"), MARGIN: Decimal(20)}
_SPACINGS_IN_MIDDLE = 400
_FEES = {PREDICTION: PREDICTION_FEES, MARGIN: MARGIN_FEES}
_STEPS_TO = {
    MarketState.ACTIVE.value: None,
    MarketState.INACTIVE.value: "halt",
    MarketState.CLOSED.value: "close",
    MarketState.DETERMINED.value: "determine",
    MarketState.SETTLED.value: "settle",
}
_DECIDED = ("determine", "settle")


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
    mistakes = Mistakes(file)
    found = read_root(LAYOUT, node, mistakes)
    # What refers to other parts is looked at only where those are sound: else it would be told twice.
    mistakes.raise_any()
    reader = _Reader(mistakes, found)
    scenario = reader.scenario()
    mistakes.raise_any()
    try:
        # Everything that the venue itself checks; the keys are made later.
        attrs.evolve(scenario, keys=()).config({})
    except ConfigurationError as error:
        mistakes.add(found.line, str(error), "correct it")
        mistakes.raise_any()
    return scenario


@attrs.define
class _Reader:
    """Makes a scenario of what stood in a file, and checks what refers to other parts of it."""

    mistakes: Mistakes
    found: Section
    markets: dict[str, tuple[Market, ...]] = attrs.field(init=False, factory=dict)
    steps: list[Step] = attrs.field(init=False, factory=list)

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
            steps=tuple(self.steps),
            flow=self._flow(),
            seed=found["seed"],
            start=found["start"],
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
            self.mistakes.add(section.at("middle"), what, advice)
        liquidity = section["liquidity"] or Section(levels=2, spacing=None, largest=100)
        spacing = liquidity["spacing"]
        if spacing is None:
            steps = (middle / _SPACINGS_IN_MIDDLE / rules.tick).to_integral_value()
            spacing = max(rules.tick, steps * rules.tick)
        elif spacing % rules.tick:
            what = f"the spacing of {ticker} is {spacing}, which is no multiple of its tick {rules.tick}"
            self.mistakes.add(liquidity.at("spacing"), what, "write a multiple of the tick")
        # Orders rest at prices that the market takes.
        middle = (middle / rules.tick).to_integral_value() * rules.tick
        self._state(ticker, section)
        return Market(rules, middle, spacing, liquidity["levels"], liquidity["largest"])

    def _rules(self, product: str, ticker: str, section: Section) -> MarketRules:
        if product == MARGIN:
            rules = margin_market(ticker, position_limit=section["position-limit"])
            changes = {"maximum_price": section["maximum-price"]} if section["maximum-price"] else {}
            rules = attrs.evolve(rules, **changes)
        else:
            rules = prediction_market(
                ticker, position_limit=section["position-limit"], shard=section["shard"]
            )
            rules = attrs.evolve(rules, high_volatility=section["high-volatility"])
        tick = section["tick"]
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
            self.mistakes.add(section.at("tick"), what, advice)
        return attrs.evolve(rules, tick=tick, minimum_price=tick, maximum_price=highest)

    def _state(self, ticker: str, section: Section) -> None:
        """Have a market brought to its state at the beginning."""
        name = _STEPS_TO[section["state"]]
        for key in ("result", "result-price"):
            if section[key] is not None and name not in _DECIDED:
                what = f"{ticker} has a `{key}` but is {section['state']}"
                self.mistakes.add(
                    section.at(key), what, "remove it, or write `state: determined` or `settled`"
                )
        if name is None:
            return
        values: dict[str, object] = {"market": ticker}
        if name in _DECIDED:
            if section["result"] is None:
                what = f"{ticker} is {section['state']} and has no `result`"
                self.mistakes.add(section.at("state"), what, "add it: `yes`, `no` or `scalar`")
                return
            values["result"] = section["result"]
            if section["result-price"] is not None:
                values["price"] = section["result-price"]
        self.steps.append(Step(after=0.0, operation=operation(name, values)))

    def _known_ticker(self, ticker: Any, where: str, product: str | None = None) -> bool:
        known = [m.rules.ticker for p, ms in self.markets.items() for m in ms if product in (None, p)]
        if str(ticker) in known:
            return True
        self.mistakes.add(
            ticker.line, f"{where} names the unknown market `{ticker}`", did_you_mean(ticker, known)
        )
        return False

    # Accounts and keys

    def _accounts(self) -> Iterator[AccountConfig]:
        for owner, products in self.found["accounts"].items():
            if owner == LIQUIDITY or is_trader(owner):
                what = f"the name `{owner}` is kept for accounts of the venue's own"
                self.mistakes.add(owner.line, what, "choose another one")
                continue
            if all(products[product] is None for product in (PREDICTION, MARGIN)):
                what, advice = (
                    f"accounts.{owner} has no account",
                    "add `prediction` or `margin` with a balance",
                )
                self.mistakes.add(owner.line, what, advice)
            for product in (PREDICTION, MARGIN):
                section = products[product]
                if section is None:
                    continue
                yield AccountConfig(
                    owner=str(owner),
                    product=product,
                    balance=section["balance"],
                    tier=section["tier"],
                    drop_copy=section["drop-copy"],
                    subaccounts={int(number): balance for number, balance in section["subaccounts"].items()},
                    on_shards={
                        int(shard): {
                            0: on["balance"],
                            **{int(number): balance for number, balance in on["subaccounts"].items()},
                        }
                        for shard, on in section.get("shards", {}).items()
                    },
                )

    def _keys(self) -> Iterator[Keys]:
        accounts = self.found["accounts"]
        named: set[tuple[str, str]] = set()
        total = 0
        for section in self.found["keys"]:
            owner = section["owner"]
            if owner not in accounts:
                what = f"the keys of `{owner}` belong to nobody"
                self.mistakes.add(owner.line, what, did_you_mean(owner, accounts))
                continue
            having = [product for product in (PREDICTION, MARGIN) if accounts[owner][product] is not None]
            if section["product"] is not None and section["product"] not in having:
                what = f"`{owner}` has keys but no account on {section['product']}"
                self.mistakes.add(section.at("product"), what, f"add accounts.{owner}.{section['product']}")
                continue
            for product in having if section["product"] is None else [section["product"]]:
                named.add((owner, product))
                total += section["count"]
                yield Keys(
                    owner=str(owner),
                    product=product,
                    count=section["count"],
                    rsa=section["type"] == "rsa",
                    scopes=frozenset(section["scopes"]),
                )
        if total > MOST_KEYS:
            what = f"there are {total} API keys in all"
            self.mistakes.add(self.found.at("keys"), what, f"make do with {MOST_KEYS}")
        for owner, products in accounts.items():
            for product in (PREDICTION, MARGIN):
                if products[product] is not None and (owner, product) not in named:
                    yield Keys(owner=str(owner), product=product)

    # The rest

    def _check_operation(self, done: Any, line: int) -> None:
        market, owner = getattr(done, "market", None), getattr(done, "owner", None)
        known = [m.rules.ticker for markets in self.markets.values() for m in markets]
        if market is not None and market not in known:
            what = f"`{done.NAME}` names the unknown market `{market}`"
            self.mistakes.add(line, what, did_you_mean(market, known))
        owners = self.found["accounts"]
        if owner is not None and owners and owner not in owners:
            what = f"`{done.NAME}` names `{owner}`, who has no account"
            self.mistakes.add(line, what, did_you_mean(owner, owners))

    def _flow(self) -> FlowConfig | None:
        section = self.found["flow"]
        if section is None:
            return None
        for ticker in section["markets"]:
            self._known_ticker(ticker, "the flow")
        given = {name.replace("-", "_"): value for name, value in section.items() if value is not None}
        for name in ("rate", "volatility", "bursts"):
            if name in given:
                given[name] = float(given[name])
        given["markets"] = tuple(str(ticker) for ticker in section["markets"])
        try:
            return FlowConfig(**given, seed=self.found["seed"] or 0)
        except ConfigurationError as error:
            self.mistakes.add(section.line, str(error), "correct it")
            return None

    def _settings(self) -> dict[str, Any]:
        found = self.found
        settings = {
            name.replace("-", "_"): value for name, value in found["limits"].items() if value is not None
        }
        fees = {
            product: attrs.evolve(
                _FEES[product],
                **{name.replace("-", "_"): value for name, value in section.items() if value is not None},
            )
            for product, section in found["fees"].items()
            if section is not None
        }
        if fees:
            settings["fees"] = fees
        if found["rfqs"]:
            settings["rfqs"] = _rfqs(found["rfqs"])
        if found["combos"]:
            settings["combos"] = tuple(self._combos())
        switched = {
            name.replace("-", "_"): value for name, value in found["assumptions"].items() if value is not None
        }
        if switched:
            settings["assumptions"] = Assumptions(**switched)
        return settings

    def _combos(self) -> Iterator[ComboCollection]:
        for ticker, section in self.found["combos"].items():
            if section["minimum-legs"] > section["maximum-legs"]:
                what = f"a combo of {ticker} has at least {section['minimum-legs']} legs and at most fewer"
                self.mistakes.add(section.at("maximum-legs"), what, "write no less than `minimum-legs`")
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


def _rfqs(section: Section) -> RfqSettings:
    changes: dict[str, Any] = {
        key.replace("-", "_"): section[key] for key in ("lifetime", "max-open") if section[key] is not None
    }
    for key in ("standard", "high-volatility"):
        name = key.replace("-", "_")
        windows = section[key] or {}
        given = {each: value for each, value in windows.items() if value is not None}
        changes[name] = attrs.evolve(getattr(RfqSettings(), name), **given)
    return RfqSettings(**changes)
