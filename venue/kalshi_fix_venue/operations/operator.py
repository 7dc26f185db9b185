"""Operations of an exchange operator: pauses, market lifecycle, logouts, and the status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate
from typing import ClassVar

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_sansio import PRODUCTS, Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import (
    PREDICTION,
    AccountId,
    Command,
    Exchange,
    MarketResult,
    MarketState,
    MoveCash,
    PauseState,
    PlaceOrder,
    PrintBlockTrade,
    SetMarketState,
    SetSettlementBounds,
    TimeInForce,
)
from kalshi_fix_venue.exchange.outcomes import OrderRejected, OrderTraded
from kalshi_fix_venue.exchange.terms import opposite
from kalshi_fix_venue.liquidity import PARTICIPANT
from kalshi_fix_venue.operations.base import (
    PRODUCT,
    Answer,
    Operable,
    Operation,
    SessionOperation,
    number_text,
)
from kalshi_fix_venue.operations.status import status_of
from kalshi_fix_venue.parameters import AMOUNT, COUNT, QUANTITY, SECONDS, TEXT, choice, parameter
from kalshi_fix_venue.pauses import PauseWindow

RESULT = choice(*MarketResult)
_STATES_AFTER_DISPUTE = (MarketState.DISPUTED, MarketState.AMENDED)


# Pauses


@attrs.frozen(kw_only=True)
class Pause(Operation):
    """Pause trading (no new orders, no amends) or the whole exchange (no cancels either)."""

    NAME: ClassVar[str] = "pause"
    what: str = parameter(
        choice("trading", "exchange"), "the scope of the pause", default="trading", positional=True
    )
    product: str | None = parameter(PRODUCT, "the product to pause; both by default", optional=True)
    lasting: float | None = parameter(
        SECONDS, "seconds until it ends; by default it lasts until `resume`", optional=True
    )
    LOGS_OUT: ClassVar[bool] = False

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Pause."""
        window = PauseWindow(
            begins=now.utc,
            ends=None if self.lasting is None else now.utc + timedelta(seconds=self.lasting),
            state=PauseState.TRADING_PAUSED if self.what == "trading" else PauseState.EXCHANGE_PAUSED,
            products=tuple(PRODUCTS) if self.product is None else (self.product,),
            logs_out=self.LOGS_OUT,
        )
        return _states_answer(venue.pause(window, now))


@attrs.frozen(kw_only=True)
class Maintenance(Pause):
    """Pause as the weekly maintenance does: sessions are logged out when it begins, and can log on again."""

    NAME: ClassVar[str] = "maintenance"
    LOGS_OUT: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class Resume(Operation):
    """End a pause, whether it was scheduled or started by `pause`: orders are accepted again."""

    NAME: ClassVar[str] = "resume"
    product: str | None = parameter(PRODUCT, "the product to resume; both by default", optional=True)

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Resume."""
        return _states_answer(venue.resume(self.product, now))


def _states_answer(states: Mapping[str, PauseState]) -> Answer:
    values = {product: state.value for product, state in states.items()}
    return {"text": ", ".join(f"{product}: {value}" for product, value in values.items()), "states": values}


# Markets


@attrs.frozen(kw_only=True)
class MarketOperation(Operation):
    """An operation on one market."""

    market: str = parameter(TEXT, "ticker of the market", positional=True)
    STATE: ClassVar[MarketState]

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Change the market's state."""
        return self._run_commands(venue, now, SetMarketState(self.market, self.STATE))

    def _run_commands(self, venue: Operable, now: Instant, *commands: Command) -> Answer:
        product = self._product(venue)
        for command in commands:
            try:
                venue.execute(product, command, now)
            except ValueError as error:
                raise ConfigurationError(str(error)) from None
        state = venue.exchange(product).markets[self.market].state
        return {"text": f"{self.market}: {state.value}", "market": self.market, "state": state.value}

    def _product(self, venue: Operable) -> str:
        tickers = {ticker: product for product in PRODUCTS for ticker in venue.exchange(product).markets}
        if self.market not in tickers:
            raise ConfigurationError(
                f"there is no market {self.market}; {did_you_mean(self.market, tickers)}"
            )
        return tickers[self.market]


@attrs.frozen(kw_only=True)
class Halt(MarketOperation):
    """Deactivate a market: new orders are refused; subscribers receive a trading halt."""

    NAME: ClassVar[str] = "halt"
    STATE: ClassVar[MarketState] = MarketState.INACTIVE


@attrs.frozen(kw_only=True)
class Open(MarketOperation):
    """Open a market, as its schedule does, or reactivate one that was halted or closed."""

    NAME: ClassVar[str] = "open"
    STATE: ClassVar[MarketState] = MarketState.ACTIVE


@attrs.frozen(kw_only=True)
class Close(MarketOperation):
    """Close a market, as its schedule does: new orders are refused, and open orders are cancelled shortly
    afterwards."""

    NAME: ClassVar[str] = "close"
    STATE: ClassVar[MarketState] = MarketState.CLOSED


@attrs.frozen(kw_only=True)
class ResultOperation(MarketOperation):
    """An operation that may need the result of the market."""

    result: str | None = parameter(RESULT, "the result of the market", optional=True, positional=True)
    price: Decimal | None = parameter(  # noqa: RUF009 an attrs field
        AMOUNT, "dollars paid for a YES contract, if the result is scalar", optional=True
    )

    def _state_command(self, state: MarketState) -> SetMarketState:
        result = None if self.result is None else MarketResult(self.result)
        return SetMarketState(self.market, state, result, self.price)


@attrs.frozen(kw_only=True)
class Dispute(MarketOperation):
    """Challenge the result of a market, which cannot be settled until it is determined again."""

    NAME: ClassVar[str] = "dispute"
    STATE: ClassVar[MarketState] = MarketState.DISPUTED


@attrs.frozen(kw_only=True)
class Determine(ResultOperation):
    """Determine the result of a market, or correct it before the settlement. For a disputed market, specify
    the new result, or none to keep the old one."""

    NAME: ClassVar[str] = "determine"

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Determine."""
        market = venue.exchange(self._product(venue)).markets[self.market]
        is_amendment = market.state in _STATES_AFTER_DISPUTE and self.result is not None
        return self._run_commands(
            venue, now, self._state_command(MarketState.AMENDED if is_amendment else MarketState.DETERMINED)
        )


@attrs.frozen(kw_only=True)
class Settle(ResultOperation):
    """Settle a market: positions are paid out. Specify the result if it is not known yet."""

    NAME: ClassVar[str] = "settle"

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Determine and settle."""
        market = venue.exchange(self._product(venue)).markets[self.market]
        settle_command = self._state_command(MarketState.SETTLED)
        if market.state.is_decided:
            return self._run_commands(venue, now, settle_command)
        return self._run_commands(venue, now, self._state_command(MarketState.DETERMINED), settle_command)


@attrs.frozen(kw_only=True)
class SettlementBounds(MarketOperation):
    """Set a market's settlement bounds: orders with prices outside them are cancelled, now and later."""

    NAME: ClassVar[str] = "settlement-bounds"
    lowest: Decimal = parameter(AMOUNT, "the lowest allowed price", positional=True)  # noqa: RUF009
    highest: Decimal = parameter(AMOUNT, "the highest allowed price", positional=True)  # noqa: RUF009

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Set the bounds."""
        return self._run_commands(venue, now, SetSettlementBounds(self.market, self.lowest, self.highest))


@attrs.frozen(kw_only=True)
class BlockTrade(MarketOperation):
    """Print a trade that two accounts have agreed on outside of the book."""

    NAME: ClassVar[str] = "block-trade"
    quantity: Decimal = parameter(QUANTITY, "number of contracts", positional=True)  # noqa: RUF009
    price: Decimal = parameter(AMOUNT, "price in dollars", positional=True)  # noqa: RUF009
    buyer: str = parameter(
        TEXT, "the buyer: an owner, owner/subaccount or a customer's PartyID", positional=True
    )
    seller: str = parameter(TEXT, "the seller, in the same forms", positional=True)

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Print the trade."""
        exchange = venue.exchange(self._product(venue))
        command = PrintBlockTrade(
            market=self.market,
            buyer=_account(exchange, self.market, self.buyer),
            seller=_account(exchange, self.market, self.seller),
            price=self.price,
            quantity=self.quantity,
        )
        return self._run_commands(venue, now, command)


@attrs.frozen(kw_only=True)
class Trade(MarketOperation):
    """Trade with the resting orders of a market as another participant. The part of the participant's order
    that does not trade at once is cancelled."""

    NAME: ClassVar[str] = "trade"
    side: str = parameter(choice("buy", "sell"), "the participant's side", positional=True)
    quantity: Decimal = parameter(QUANTITY, "number of contracts", positional=True)  # noqa: RUF009
    price: Decimal | None = parameter(  # noqa: RUF009 an attrs field
        AMOUNT,
        "the limit price in dollars; by default the price at which the book can fill the quantity",
        optional=True,
    )

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Place an immediate-or-cancel order."""
        product, side, limit = self._product(venue), Side[self.side.upper()], self.price
        exchange = venue.exchange(product)
        if limit is None:
            limit = self._limit(exchange.levels(self.market, opposite(side)))
        order = PlaceOrder(
            order_id=venue.new_id(),
            cl_ord_id=venue.new_id(),
            account=AccountId(PARTICIPANT, shard=exchange.shard_of(self.market)),
            origin=PARTICIPANT,
            market=self.market,
            side=side,
            quantity=self.quantity,
            price=limit,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        )
        trades: list[tuple[Decimal, Decimal]] = []
        for each in venue.execute(product, order, now):
            if isinstance(each, OrderRejected):
                raise ConfigurationError(f"the exchange rejected the order: {each.cause.name}")
            if isinstance(each, OrderTraded) and each.order.account == order.account:
                trades.append((each.quantity, each.price))
        text = f"{self.market}: {number_text(sum((quantity for quantity, _ in trades), Decimal(0)))} traded"
        if trades:
            prices = {price for _, price in trades}
            text += " at " + " to ".join(number_text(each, 2) for each in sorted({min(prices), max(prices)}))
        rows = [
            {"quantity": number_text(quantity), "price": number_text(price, 2)} for quantity, price in trades
        ]
        return {"text": text, "market": self.market, "trades": rows}

    def _limit(self, levels: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
        """Return the price of the worst level needed to fill the quantity, or of the last level if the book
        is too small.
        """
        if not levels:
            raise ConfigurationError(
                f"the book of {self.market} has no resting orders against which the participant could "
                f"{self.side}"
            )
        sizes = accumulate(size for _, size in levels)
        needed = next((index for index, size in enumerate(sizes) if size >= self.quantity), -1)
        return levels[needed][0]


def _account(exchange: Exchange, market: str, name: str) -> AccountId:
    shard = exchange.shard_of(market)
    if name in exchange.customers:
        return AccountId(exchange.customers[name], 0, shard, customer=name)
    owner, _, number = name.partition("/")
    if number and not (number.isascii() and number.isdigit()):
        raise ConfigurationError(
            f"{name!r} is not an account; write an owner, or owner/number for a subaccount"
        )
    return AccountId(owner, int(number or 0), shard)


# Cash


@attrs.frozen(kw_only=True)
class Transfer(Operation):
    """Move an owner's cash between shards or subaccounts, as Kalshi's REST API does."""

    NAME: ClassVar[str] = "transfer"
    owner: str = parameter(TEXT, "the owner of the cash", positional=True)
    amount: Decimal = parameter(AMOUNT, "amount in dollars", positional=True)  # noqa: RUF009 an attrs field
    from_shard: int = parameter(COUNT, "the shard to move from", default=0)
    to_shard: int = parameter(COUNT, "the shard to move to", default=0)
    from_subaccount: int = parameter(COUNT, "the subaccount to move from", default=0)
    to_subaccount: int = parameter(COUNT, "the subaccount to move to", default=0)
    product: str = parameter(PRODUCT, "the product of the accounts", default=PREDICTION)

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Move the cash."""
        source = AccountId(self.owner, self.from_subaccount, self.from_shard)
        target = AccountId(self.owner, self.to_subaccount, self.to_shard)
        try:
            venue.execute(self.product, MoveCash(source, target, self.amount), now)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        exchange = venue.exchange(self.product)
        source_balance, target_balance = (
            str(exchange.account(account).balance) for account in (source, target)
        )
        text = (
            f"{self.owner}: {self.amount} dollars moved; the source has {source_balance} left, "
            f"the target has {target_balance}"
        )
        return {"text": text, "source_balance": source_balance, "target_balance": target_balance}


# Sessions


@attrs.frozen(kw_only=True)
class LogOut(SessionOperation):
    """Log sessions out, as a gateway does before it stops: send a Logout, and close the connection."""

    NAME: ClassVar[str] = "logout"
    text: str | None = parameter(TEXT, "Text (58) of the Logout", optional=True)

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Log out."""
        keys = venue.log_out(self, self.text, now)
        return {"text": f"{len(keys)} {'session' if len(keys) == 1 else 'sessions'} logged out", "keys": keys}


# Status


@attrs.frozen(kw_only=True)
class Status(Operation):
    """Show the status of the venue: pauses, markets, cash, positions, open orders, sessions with their
    sequence numbers, and the backlog."""

    NAME: ClassVar[str] = "status"

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """Return the status."""
        return status_of(venue, now)


@attrs.frozen(kw_only=True)
class ShowInputLog(Operation):
    """Show where the venue's input is logged."""

    NAME: ClassVar[str] = "input-log"

    def perform(self, venue: Operable, now: Instant) -> Answer:  # noqa: ARG002 like all operations
        """Return the path of the input log."""
        # A missing log is not an error, because a replay, which writes none, performs this operation too.
        path = None if venue.input_log_path is None else str(venue.input_log_path.absolute())
        return {"text": path or "there is no input log; run the venue with --input-log FILE", "path": path}
