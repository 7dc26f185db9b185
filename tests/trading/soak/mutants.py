"""Machines with one fault each. The soak must detect every fault."""

from __future__ import annotations

import operator
from typing import Any

import attrs

from kalshi_fix_sansio import OrderGroupResponse
from kalshi_fix_sansio.clock import BEGINNING
from kalshi_fix_sansio.events import OutcomesUnknown
from kalshi_fix_sansio.trading import (
    Cash,
    FeeTerms,
    Order,
    OrderGroup,
    OrderGroups,
    Orders,
    Positions,
    Settlement,
    SettlementUpdate,
)
from kalshi_fix_sansio.trading.common.amounts import ZERO
from kalshi_fix_sansio.trading.money import cash, settlements
from kalshi_fix_sansio.trading.orders import orders
from kalshi_fix_sansio.trading.orders.mass_cancels import MassCancels
from kalshi_fix_sansio.trading.orders.order import PRIMARY
from tests.simulation.mutants.patching import caught_by, do_nothing, replace, replace_every, wrap
from tests.trading.soak.ledger import WRONG_CONTEXT


def _drop(kind: type) -> Any:
    def change(apply: Any, machine: Any, event: object) -> Any:
        return [] if isinstance(getattr(event, "message", event), kind) else apply(machine, event)

    return change


def _refuse_all(handle: Any, machine: Orders, message: Any) -> None:
    found = machine._index.requests(message.cl_ord_id)
    handle(machine, message)
    for order, request in found:
        if request in order.pending:
            machine._index.answer(order, request)


def _drop_early_settlement(apply: Any, machine: Positions, update: Any) -> Any:
    early = isinstance(update, SettlementUpdate) and update.symbol not in {key.symbol for key in machine}
    return [] if early else apply(machine, update)


def _settle_at_zero(settle: Any, machine: Positions, settlement: Settlement) -> Any:
    return settle(machine, attrs.evolve(settlement, price=ZERO))


def _ignore_limit(extend: Any, group: OrderGroup, index: int) -> None:
    extend(group, index)
    group._exceeded_at = group._may_exceed_at = BEGINNING


MUTANTS = {
    "a refusal that answers all requests with its ClOrdID": caught_by(
        wrap(Orders, "_handle_cancel_reject", _refuse_all),
        "requests without an answer",
        "a request is settled without its answer",
        "a discrepancy",
    ),
    "a change back to an earlier ClOrdID, wrongly answered by older reports": caught_by(
        replace(Order, "origins", lambda *_: frozenset()),
        "a request is settled without its answer",
        "requests without an answer",
    ),
    "orders that ignore the requests of an earlier process": caught_by(
        wrap(Orders, "apply", _drop(OutcomesUnknown)),
        "an unanswered request is dropped",
        "an order differs from the ledger but is not listed as uncertain",
    ),
    "order groups that ignore the requests of an earlier process": caught_by(
        wrap(OrderGroups, "apply", _drop(OutcomesUnknown)),
        "an unanswered request is dropped",
        "an answered order group request is in flight",
    ),
    "orders that do not become uncertain": caught_by(
        replace(Orders, "_record_lost_reports", do_nothing),
        "an order differs from the ledger but is not listed as uncertain",
        "orders",
    ),
    "order groups that are not triggered by fills": caught_by(
        wrap(OrderGroup, "_extend", _ignore_limit), "order groups"
    ),
    "order groups that are not triggered by a lower limit": caught_by(
        replace(OrderGroup, "_check_update", do_nothing), "order groups"
    ),
    "order groups that count two out of three fills": caught_by(
        replace_every(3, OrderGroup, "count_fill", do_nothing), "room of an order group", "order groups"
    ),
    "order groups that ignore answers": caught_by(
        wrap(OrderGroups, "apply", _drop(OrderGroupResponse)),
        "an answered order group request is in flight",
    ),
    "a lost settlement that precedes the first fill": caught_by(
        wrap(Positions, "apply", _drop_early_settlement), "positions"
    ),
    "a payout that is not moved to the shard revealed by the first fill": caught_by(
        replace(Cash, "_move_payouts", lambda *_: iter(())), "money of a shard"
    ),
    "positions that settle at another price": caught_by(
        wrap(Positions, "_settle", _settle_at_zero), "settlement of a position"
    ),
    "payouts in the caller's decimal context": caught_by(
        replace(settlements, "total", sum), WRONG_CONTEXT, "money", "money of a shard"
    ),
    "money in the caller's decimal context": caught_by(
        replace(cash, "add", operator.add), WRONG_CONTEXT, "money"
    ),
    "fees without the rate of the market": caught_by(
        replace(FeeTerms, "trade_fee", lambda *_: ZERO), "fees of an order"
    ),
    "orders that all belong to the primary account": caught_by(
        replace(orders, "read_account", lambda _: PRIMARY), "orders", "an order after its report"
    ),
    "mass cancels that ignore answers": caught_by(
        replace(MassCancels, "apply_report", lambda *_: True), "an answered mass cancel is open"
    ),
}
SEEDS = {
    "orders that ignore the requests of an earlier process": 2,
    "orders that do not become uncertain": 4,
    "a change back to an earlier ClOrdID, wrongly answered by older reports": 7,
    "order groups that ignore the requests of an earlier process": 3,
    "order groups that are not triggered by a lower limit": 6,
    "order groups that count two out of three fills": 5,
}
"""The seed of the run that detects a fault soonest, if it is not the first seed."""
