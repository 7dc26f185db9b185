"""Combinations (combos): the validation of their legs, and the creation of a market for each combination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

import attrs

from kalshi_fix_sansio import (
    MultivariateSelectedLeg,
    MultivariateSelectedSide,
    MVEValidationReasonCode,
    QuoteRequestRejectReason,
)
from kalshi_fix_venue.exchange import (
    COMBO,
    Exchange,
    ListMarket,
    MarketRules,
    MarketState,
    prediction_market,
)
from kalshi_fix_venue.gateway.rfq import texts
from kalshi_fix_venue.gateway.rfq.book import Combo
from kalshi_fix_venue.gateway.rfq.texts import RefusalError

_HASH_LENGTH = 12
"""Length of the hash in a ticker, which distinguishes the combos of a collection."""


@attrs.frozen(kw_only=True)
class ComboEvent:
    """An event whose markets may be legs."""

    ticker: str
    markets: tuple[str, ...]
    """Tickers of markets, which need not be listed on this venue."""
    exclusive: bool = True
    """Whether at most one of its markets can resolve YES."""


@attrs.frozen(kw_only=True)
class ComboCollection:
    """The events available to combos (a multivariate event collection)."""

    ticker: str
    events: tuple[ComboEvent, ...]
    shard: int = 0
    """The shard on which its markets are created."""
    minimum_legs: int = 2
    maximum_legs: int = 25
    position_limit: Decimal | None = None
    """The position limit of its markets."""


@attrs.define(eq=False)
class Combos:
    """Finds or creates the market of a combination."""

    _exchange: Exchange
    _collections: Mapping[str, ComboCollection]
    _max_combos: int
    _created: dict[str, Combo] = attrs.field(factory=dict)
    """Created combinations by the ticker of their market."""

    def find_or_create_market(self, combo: Combo, now: datetime) -> str:
        """Return the ticker of a combination's market, which is created if it does not exist. Combinations of
        the same legs in a different order have the same market.

        Raises:
            RefusalError: there is no such collection, it does not allow the combination, or too many
                combinations have been created.
        """
        collection = self._collections.get(combo.collection)
        if collection is None:
            raise RefusalError(texts.COLLECTION_NOT_FOUND, QuoteRequestRejectReason.UNKNOWN_SYMBOL)
        self._check(collection, combo.legs)
        ticker = combo_ticker(combo)
        if ticker not in self._exchange.markets:
            # Limited, because markets are never removed and clients can name any number of combinations.
            if len(self._created) >= self._max_combos:
                raise RefusalError(texts.TOO_MANY_COMBOS, QuoteRequestRejectReason.EXCEEDS_LIMIT)
            self._exchange.apply(ListMarket(combo_rules(ticker, collection)), now)
            self._created[ticker] = combo
        return ticker

    def combo_of(self, market: str) -> Combo | None:
        """Return the combination of a market, or None if it was not created as one."""
        return self._created.get(market)

    def _check(self, collection: ComboCollection, legs: tuple[MultivariateSelectedLeg, ...]) -> None:
        codes = MVEValidationReasonCode
        events = {event.ticker: event for event in collection.events}
        ineligible = [leg for leg in legs if not self._is_eligible(events, leg)]
        if ineligible:
            raise _invalid(codes.INVALID_MARKET_COMBINATION, "these markets cannot be combined", ineligible)
        sides: dict[str, set[str]] = {}
        for leg in legs:
            sides.setdefault(_market(leg), set()).add(leg.multivariate_selected_side)
        conflicting = [leg for leg in legs if len(sides[_market(leg)]) > 1]
        if conflicting:
            raise _invalid(codes.CONFLICTING_LEG_OUTCOMES, "a market cannot have two results", conflicting)
        counts = Counter(_market(leg) for leg in legs)
        duplicated = [leg for leg in legs if counts[_market(leg)] > 1]
        if duplicated:
            raise _invalid(codes.DUPLICATED_LEGS, "a leg appears twice", duplicated)
        yes = [leg for leg in legs if leg.multivariate_selected_side == MultivariateSelectedSide.YES]
        by_event = Counter(leg.multivariate_selected_event_ticker for leg in yes)
        exclusive = [
            leg
            for leg in yes
            if by_event[leg.multivariate_selected_event_ticker] > 1
            and events[leg.multivariate_selected_event_ticker].exclusive
        ]
        if exclusive:
            text = "at most one market of an event can settle as yes"
            raise _invalid(codes.CONFLICTING_LEG_OUTCOMES, text, exclusive)
        if not collection.minimum_legs <= len(legs) <= collection.maximum_legs:
            text = f"a combination must have {collection.minimum_legs} to {collection.maximum_legs} legs"
            raise _invalid(codes.INVALID_MARKET_COMBINATION, text, [])

    def _is_eligible(self, events: Mapping[str, ComboEvent], leg: MultivariateSelectedLeg) -> bool:
        """Return whether a leg is in the collection and its market, if listed, is not closed or decided."""
        event = events.get(leg.multivariate_selected_event_ticker)
        market = self._exchange.markets.get(_market(leg))
        return (
            event is not None
            and _market(leg) in event.markets
            and leg.multivariate_selected_side in tuple(MultivariateSelectedSide)
            and (market is None or not (market.state.is_decided or market.state is MarketState.CLOSED))
        )


def combo_ticker(combo: Combo) -> str:
    """Return the ticker of a combination's market."""
    legs = sorted(f"{_market(leg)}={leg.multivariate_selected_side}" for leg in combo.legs)
    return f"{combo.collection}-{sha256(' '.join(legs).encode()).hexdigest()[:_HASH_LENGTH].upper()}"


def combo_rules(ticker: str, collection: ComboCollection) -> MarketRules:
    """Return the rules of a combination's market; all such markets are high volatility markets."""
    rules = prediction_market(
        ticker, structure=COMBO, position_limit=collection.position_limit, shard=collection.shard
    )
    return attrs.evolve(rules, high_volatility=True, combo=True)


def _market(leg: MultivariateSelectedLeg) -> str:
    return leg.multivariate_selected_market_ticker


def _invalid(code: MVEValidationReasonCode, text: str, legs: list[MultivariateSelectedLeg]) -> RefusalError:
    return RefusalError(text, code=code, offending=tuple(dict.fromkeys(_market(leg) for leg in legs)))
