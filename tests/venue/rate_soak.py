"""A soak test of the rate budgets against the simulated venue's own token buckets: accounts send as much as
their budgets allow, on all shards and via REST, in virtual time and with random message delays.

`python -m tests.venue.rate_soak --seconds 600 --seed 7` runs longer than the test.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

import attrs

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    Logon,
    MarketDataRequest,
    OrderGroupRequest,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_sansio.trading import RateBudget, TokenBucket
from kalshi_fix_venue.exchange import margin_market, prediction_market
from tests.venue.exchange_harness import MARKET, PERP
from tests.venue.venue_harness import Client, VenueHarness, accounts, amend, cancel, mass_cancel, order

IOC = TimeInForce.IMMEDIATE_OR_CANCEL
MAX_DELAY = 0.05
"""Maximum delay of a message in seconds. A `use` of 0.95 compensates for it if a bucket fills in one second.
"""
SHARDS = (None, -1, 0, 1, 2)
GROUP = "00000000-0000-4000-8000-000000000000"
CHECK_INTERVAL = 0.004
"""Seconds between two checks of the budgets."""


@attrs.define
class Outcome:
    """The result of a soak."""

    seconds: float
    messages: Counter[str] = attrs.field(factory=Counter)
    """Messages sent, by MsgType."""
    refused: Counter[str] = attrs.field(factory=Counter)
    rest: int = 0
    """Number of REST requests."""
    rest_refused: int = 0
    logons_refused: int = 0
    use: dict[str, float] = attrs.field(factory=dict)
    """Share of the venue's allowance that was used in the first half, by bucket."""

    @property
    def total_refused(self) -> int:
        """Number of messages, REST requests and logons that were refused because of a limit."""
        return self.refused.total() + self.rest_refused + self.logons_refused

    def __str__(self) -> str:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.messages.items()))
        uses = ", ".join(f"{name} {part:.1%}" for name, part in sorted(self.use.items()))
        return (
            f"{self.seconds:g} s: {self.messages.total()} messages ({kinds}) and {self.rest} requests via "
            f"REST, {self.total_refused} refused; use of the buckets: {uses}"
        )


@attrs.define
class Account:
    """An owner on one product, with a budget that records all spending."""

    owner: str
    product: Product
    budget: RateBudget
    clients: dict[str, Client] = attrs.field(factory=dict)
    """Connections, by API key."""


class Soak:
    """A venue under load."""

    def __init__(self, tiers: tuple[str, str], seed: int, use: float) -> None:
        self.random = Random(seed)
        self.use = use
        self._numbers = count(1)
        self.harness = VenueHarness(
            markets={
                "prediction": tuple(
                    prediction_market(f"{MARKET}-{shard}" if shard else MARKET, shard=shard)
                    for shard in range(3)
                ),
                "margin": (margin_market(PERP),),
            },
            accounts=accounts(
                ann={"balance": Decimal(10**9), "tier": tiers[0]},
                perp={"balance": Decimal(10**9), "tier": tiers[1]},
            ),
        )
        # The lowest tier has rate limits, but no FIX access.
        self.harness.venue._rate_limits.may_use_fix = lambda *_: True  # type: ignore[method-assign]
        self.accounts = (
            Account("ann", "prediction", RateBudget(tiers[0], use=use)),
            Account("perp", "margin", RateBudget(tiers[1], product="margin", use=use)),
        )
        self._in_transit: list[tuple[float, int, Account, str, Message]] = []
        self._arrivals: dict[str, float] = {}
        """Latest arrival time by key; messages on one connection stay in order."""
        self._taken: Counter[str] = Counter()

    def run(self, seconds: float) -> Outcome:
        """Send for this long.

        In the first half every allowed message is sent immediately. The second half has idle seconds in which
        the buckets fill, so the next messages are sent in a burst."""
        outcome, harness = Outcome(seconds), self.harness
        self._count_spending()
        begin = harness.monotonic
        while harness.monotonic < begin + seconds / 2:
            self._send_once(outcome)
        for name, bucket in self._buckets():
            if not name.endswith(("logon", "mass cancel")):
                allowance = bucket.rate * (harness.monotonic - begin) + bucket.capacity
                outcome.use[name] = self._taken[name] / allowance
        while harness.monotonic < begin + seconds:
            busy_until = harness.monotonic + self.random.choice((0.1, 0.5, 2.0))
            while harness.monotonic < busy_until:
                self._send_once(outcome)
            self._wait(self.random.choice((0.0, 0.5, 2.5)))
        self._wait(1.0)
        for account in self.accounts:
            for client in account.clients.values():
                self._collect_refusals(client, outcome)
        return outcome

    # --- sending ----------------------------------------------------------------------------------------

    def _send_once(self, outcome: Outcome) -> None:
        for account in self.accounts:
            self._send_all(account, outcome)
        self._wait(CHECK_INTERVAL)

    def _send_all(self, account: Account, outcome: Outcome) -> None:
        budget, harness, random = account.budget, self.harness, self.random
        for key, requests in self._requests_by_key(account):
            if key not in account.clients:
                self._log_on(account, key, outcome)
                continue
            if random.random() < 0.0005:
                self._collect_refusals(account.clients.pop(key), outcome, log_out=True)
                continue
            make = random.choice(requests)
            # Send as many as allowed, so a full bucket is spent in one burst.
            for _ in range(200):
                message = make()
                if budget.wait(message, harness.now):
                    break
                budget.sent(message, harness.now)
                outcome.messages[message.MSG_TYPE] += 1
                arrival = max(self._arrivals.get(key, 0.0), harness.monotonic + random.random() * MAX_DELAY)
                self._arrivals[key] = arrival
                heappush(self._in_transit, (arrival, next(self._numbers), account, key, message))
        if random.random() < 0.1:
            self._use_rest(account, outcome)

    def _requests_by_key(self, account: Account) -> Iterator[tuple[str, list[Callable[[], Message]]]]:
        place: Callable[[], Message]
        withdraw: Callable[[], Message]
        if account.owner == "perp":
            place = lambda: order(self._new_id(), Side.BUY, 1, "0.0001", symbol=PERP, time_in_force=IOC)  # noqa: E731
            withdraw = lambda: self._cancel(None)  # noqa: E731
            yield "perp", [place, withdraw, withdraw, self._group, self._mass_cancel]
            yield "perp-md", [lambda: MarketDataRequest.snapshot(PERP)]
        else:
            withdraw = lambda: self._cancel(self.random.choice(SHARDS))  # noqa: E731
            yield "ann", [self._order, self._amend, withdraw, withdraw, self._group, self._mass_cancel]
            yield "ann-2", [self._quote, self._quote_cancel, self._quote_confirm]
            yield "ann-md", [lambda: MarketDataRequest.snapshot(MARKET)]

    def _new_id(self) -> str:
        return f"{next(self._numbers)}"

    def _order(self) -> Message:
        shard = self.random.choice(SHARDS)
        symbol = f"{MARKET}-{shard}" if shard and shard > 0 else MARKET
        return order(
            self._new_id(), Side.BUY, 1, "0.01", symbol=symbol, ex_destination=shard, time_in_force=IOC
        )

    def _amend(self) -> Message:
        return amend(self._new_id(), "none", 1, ex_destination=self.random.choice(SHARDS))

    def _cancel(self, shard: int | None) -> Message:
        return cancel(self._new_id(), "none", ex_destination=shard)

    def _group(self) -> Message:
        return self.random.choice((OrderGroupRequest.reset, OrderGroupRequest.trigger))(GROUP)

    def _mass_cancel(self) -> Message:
        return mass_cancel(self._new_id())

    def _quote(self) -> Message:
        return Quote(quote_id=self._new_id(), quote_req_id="none", symbol=MARKET, bid_px="0.01")

    def _quote_cancel(self) -> Message:
        return QuoteCancel(quote_id=self._new_id())

    def _quote_confirm(self) -> Message:
        return QuoteConfirm(quote_id=self._new_id())

    def _log_on(self, account: Account, key: str, outcome: Outcome) -> None:
        now = self.harness.now
        if account.budget.wait(Logon, now):
            return
        account.budget.sent(Logon, now)
        outcome.messages[Logon.MSG_TYPE] += 1
        kind = "KalshiMD" if key.endswith("md") else "KalshiRFQ" if key == "ann-2" else "KalshiNR"
        client = self.harness.connect(key, kind, product=account.product)
        outcome.logons_refused += not client.is_logged_on
        account.clients[key] = client

    def _use_rest(self, account: Account, outcome: Outcome) -> None:
        """Spend tokens of the venue's own buckets, as REST requests do, if the budget allows it."""
        now, random = self.harness.now, self.random
        choices: Any = [("write", None), ("read", None), ("write", 1), ("write", 2)]
        use, shard = random.choice(choices if account.owner == "ann" else choices[:2])
        tokens = random.choice((2, 10, 10, 250))
        if account.budget.left(now, bucket=use, shard=shard) < tokens:
            return
        account.budget.record_spending(tokens, now, bucket=use, shard=shard)
        outcome.rest += 1
        for key, bucket in self.harness.venue._rate_limits._buckets.items():
            if (key.owner, key.product, key.purpose, key.shard) == (
                account.owner,
                account.product,
                use,
                shard,
            ):
                bucket.refill(now.monotonic)
                outcome.rest_refused += bucket.missing(tokens) > 0
                bucket.spend(tokens)

    # --- time and received messages ---------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        harness = self.harness
        end = harness.monotonic + seconds
        while self._in_transit and self._in_transit[0][0] <= end:
            arrival, _, account, key, message = heappop(self._in_transit)
            harness.wait(max(0.0, arrival - harness.monotonic))
            client = account.clients.get(key)
            if client is not None:
                client.session.send(message, harness.now)
                harness.run()
        harness.wait(end - harness.monotonic)

    def _collect_refusals(self, client: Client, outcome: Outcome, *, log_out: bool = False) -> None:
        if log_out:
            client.logout()
        for event in client.events:
            reject = event.reject if isinstance(event, RejectReceived) else None
            if (
                isinstance(reject, BusinessMessageReject)
                and reject.business_reject_reason == BusinessRejectReason.RATE_LIMIT_EXCEEDED
            ):
                outcome.refused[reject.ref_msg_type] += 1
        client.events.clear()

    def _buckets(self) -> Iterator[tuple[str, TokenBucket]]:
        for key, bucket in self.harness.venue._rate_limits._buckets.items():
            yield f"{key.product} {key.purpose}{'' if key.shard is None else f' {key.shard}'}", bucket

    def _count_spending(self) -> None:
        """Count the tokens spent from the venue's buckets."""
        limits, taken = self.harness.venue._rate_limits, self._taken
        make = limits._bucket

        def bucket(key: Any, *figures: float) -> TokenBucket:
            found = make(key, *figures)
            if not isinstance(found, _CountedBucket):
                name = f"{key.product} {key.purpose}{'' if key.shard is None else f' {key.shard}'}"
                found = limits._buckets[key] = _CountedBucket(
                    found.rate, found.capacity, found.level, found.at, taken, name
                )
            return found

        limits._bucket = bucket  # type: ignore[method-assign,assignment]


@attrs.define
class _CountedBucket(TokenBucket):
    taken: Counter[str]
    name: str

    def spend(self, tokens: float) -> None:
        super().spend(tokens)
        self.taken[self.name] += int(tokens)


def soak(seconds: float, seed: int, tiers: tuple[str, str], use: float = 0.95) -> Outcome:
    """Have two accounts with these tiers, one on prediction and one on margin, send for this long."""
    return Soak(tiers, seed, use).run(seconds)


def main() -> None:
    """Run the soak test for pairs of tiers, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--use", type=float, default=0.95)
    parser.add_argument("tiers", nargs="*", default=["Advanced", "Expert", "Premier"])
    chosen = parser.parse_args()
    for number, tier in enumerate(chosen.tiers):
        other = chosen.tiers[number - 1]
        outcome = soak(chosen.seconds, chosen.seed, (tier, other), chosen.use)
        print(f"{tier} on prediction, {other} on margin, {outcome}", flush=True)


if __name__ == "__main__":
    main()
