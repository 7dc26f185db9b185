"""Random order histories on a venue with two shards, and a simple model of their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from random import Random
from typing import Any

import attrs

from kalshi_fix_sansio import ExecType, ExecutionReport, OrderCancelReject, OrdStatus
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.trading import Account
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from tests.trading.order_flow import BUY, OTHER, SELL, SYMBOL, cancel, change, place, refusal, report

ENDINGS = {"2": "FILLED", "4": "CANCELED", "8": "REJECTED", "C": "EXPIRED"}
Row = dict[str, Any]


@attrs.define
class VenueOrder:
    """An order at the venue."""

    order_id: str
    cl_ord_id: str
    side: Any
    shard: int
    qty: Decimal
    price: str
    mine: bool
    cum: Decimal = Decimal(0)
    final_status: str = ""
    """The final OrdStatus; empty while the order is open."""

    @property
    def symbol_and_side(self) -> dict[str, Any]:
        symbol = SYMBOL if int(self.order_id.removeprefix("oc")) % 3 else OTHER
        return {"symbol": symbol, "side": self.side}

    @property
    def terms(self) -> dict[str, Any]:
        return {"qty": str(self.qty), "cum": str(self.cum), "price": self.price, **self.symbol_and_side}


@attrs.define
class History:
    """A random history of orders; `steps` are the messages sent and received, in chronological order."""

    random: Random
    steps: list[Message] = attrs.field(factory=list)
    orders: list[VenueOrder] = attrs.field(factory=list)
    clocks: list[int] = attrs.field(factory=lambda: [0, 0])
    count: int = 0

    @classmethod
    def generate(cls, seed: int, length: int) -> History:
        history = cls(Random(seed))
        for shard in (0, 1):  # Each session sooner or later receives reports from every shard.
            history._add_report(history._add_order(shard, mine=False), "new")
        for _ in range(length):
            history._step()
        return history

    def _step(self) -> None:
        draw = self.random.choice
        live = [order for order in self.orders if not order.final_status]
        mine = [order for order in live if order.mine]
        kinds = "place place foreign trade trade trade change amend cancel expire"
        match draw(kinds.split()):
            case "place":
                self._place()
            case "foreign":
                self._add_report(self._add_order(draw((0, 1)), mine=False), "new")
            case "trade" if live:
                self._trade(draw(live))
            case "change" if mine:
                self._change(draw(mine))
            case "amend" if mine:
                self._amend(draw(mine))
            case "cancel" if mine:
                self._cancel(draw(mine))
            case "expire" if live:
                self._end(draw(live), "expired")

    def _new_cl_ord_id(self) -> str:
        self.count += 1
        return f"c{self.count}"

    def _add_order(self, shard: int, *, mine: bool) -> VenueOrder:
        name = self._new_cl_ord_id()
        side = self.random.choice((BUY, SELL))
        qty = Decimal(self.random.randint(1, 2000)) / 100
        order = VenueOrder(f"o{name}", name, side, shard, qty, f"0.{self.random.randint(10, 99)}", mine)
        self.orders.append(order)
        return order

    def _add_report(self, order: VenueOrder, kind: str, **fields: Any) -> None:
        self.clocks[order.shard] += self.random.choice((1, 1, 3))
        key = str(ExecKey(order.shard, self.clocks[order.shard] // 3, self.clocks[order.shard]))
        # Not every report contains the account; the newest report with an account determines it.
        account = {"alloc_account": self.random.choice((None, None, 0, 1, 2))}
        values = {"cl_ord_id": order.cl_ord_id, **order.terms, **account, **fields}
        self.steps.append(report(kind, key, order.order_id, number=len(self.steps) + 2, **values))

    def _place(self) -> None:
        order = self._add_order(self.random.choice((0, 1)), mine=True)
        sent = place(order.cl_ord_id, str(order.qty), price=order.price, **order.symbol_and_side)
        sent.ex_destination = order.shard
        sent.alloc_account = self.random.choice((None, 0, 1, 2))
        self.steps.append(sent)
        if self.random.random() < 0.3:
            pending = report("pending new", "-1;-1", order.order_id, order.cl_ord_id, **order.terms)
            self.steps.append(pending)
        match self.random.choice(["new", "new", "new", "rejected", "trade", "ioc"]):
            case "rejected":
                order.final_status = "8"
                self._add_report(order, "rejected")
            case "trade":  # The fill is the first report; no New precedes it.
                self._trade(order)
            case "ioc":
                self._trade(order, ends=True)
            case _:
                self._add_report(order, "new")

    def _trade(self, order: VenueOrder, *, ends: bool = False) -> None:
        left = int((order.qty - order.cum) * 100)
        traded = Decimal(left if self.random.random() < 0.3 else self.random.randint(1, left)) / 100
        order.cum += traded
        is_filled = order.cum == order.qty
        kind = "filled" if is_filled else "ioc" if ends else "trade"
        order.final_status = "2" if is_filled else "4" if ends else ""
        price = f"0.{self.random.randint(1000, 9999)}"
        self._add_report(order, kind, last=(str(traded), price), fee=f"0.{self.random.randint(0, 99):02d}")

    def _change(self, order: VenueOrder) -> None:
        name = self._new_cl_ord_id()
        total = order.cum + Decimal(self.random.randint(1, 2000)) / 100
        sent = change(name, order.cl_ord_id, str(total), **order.symbol_and_side)
        self.steps.append(sent)
        if self.random.random() < 0.3:
            self._refuse(order, name)
            return
        order.qty = total
        before, order.cl_ord_id = order.cl_ord_id, name
        self._add_report(order, "replaced", orig_cl_ord_id=before)

    def _amend(self, order: VenueOrder) -> None:
        """Send several changes that keep the order's ClOrdID; the venue then answers them in the order in
        which they were sent.
        """
        name = order.cl_ord_id
        totals = [
            order.cum + Decimal(self.random.randint(1, 2000)) / 100 for _ in range(self.random.randint(1, 3))
        ]
        self.steps += [change(name, name, str(total), **order.symbol_and_side) for total in totals]
        for total in totals:
            if self.random.random() < 0.3:
                self._refuse(order, name)
            else:
                order.qty = total
                self._add_report(order, "replaced", orig_cl_ord_id=name)

    def _cancel(self, order: VenueOrder) -> None:
        name = self._new_cl_ord_id()
        self.steps.append(cancel(name, order.cl_ord_id, **order.symbol_and_side))
        roll = self.random.random()
        if roll < 0.2:
            self._refuse(order, name)
        elif roll < 0.4:  # The cancel is too late.
            self._end(order, "expired")
            order_id = self.random.choice([order.order_id, "NONE"])
            status = self.random.choice([OrdStatus.REJECTED, OrdStatus.EXPIRED])
            self._refuse(order, name, order_id=order_id, status=status)
        else:
            before, order.cl_ord_id = order.cl_ord_id, name
            self._end(order, "canceled", orig_cl_ord_id=before)

    def _refuse(self, order: VenueOrder, name: str, **fields: Any) -> None:
        values = {"order_id": order.order_id, "orig": order.cl_ord_id, **fields}
        self.steps.append(refusal(name, number=len(self.steps) + 2, **values))

    def _end(self, order: VenueOrder, kind: str, **fields: Any) -> None:
        order.final_status = "4" if kind == "canceled" else "C"
        self._add_report(order, kind, **fields)


def compare_seeds(compare: Callable[[int, int, int], None], count: int) -> None:
    """Call `compare(seed, length, shuffle)` for the first `count` seeds, with histories of 40 steps."""
    for seed in range(count):
        compare(seed, 40, seed)


def is_answer(message: Message) -> bool:
    return isinstance(message, (ExecutionReport, OrderCancelReject))


def keeps_id(message: Any) -> bool:
    """Return whether a change, or the answer to one, keeps the ClOrdID of the order."""
    return bool(message.cl_ord_id == message.orig_cl_ord_id)


def model(steps: Iterable[Message]) -> list[Row]:
    """Return the expected state of each order after these messages, in whatever order they are received.

    All ClOrdIDs must differ, except that a change may keep the ClOrdID of its order.
    """
    steps = list(steps)
    requests: list[Any] = [step for step in steps if not is_answer(step)]
    reports: list[Any] = [step for step in steps if isinstance(step, ExecutionReport)]
    refused: list[Any] = [step for step in steps if isinstance(step, OrderCancelReject)]
    origin = {
        item.cl_ord_id: item.orig_cl_ord_id
        for item in requests
        if item.MSG_TYPE != "D" and item.cl_ord_id != item.orig_cl_ord_id
    }

    def root(name: str) -> str:
        while name in origin:
            name = origin[name]
        return name

    rows = []
    mine = {item.cl_ord_id: item for item in requests if item.MSG_TYPE == "D"}
    for name in {*mine, *(root(item.cl_ord_id) for item in reports)}:
        own_reports = [report for report in reports if root(report.cl_ord_id) == name]
        keyed = {key: item for item in own_reports if (key := ExecKey.parse(item.exec_id))}
        ordered_reports = [report for _, report in sorted(keyed.items())]
        trades = {key: report for key, report in keyed.items() if report.exec_type == "F"}
        final_reports = [item for item in ordered_reports if item.ord_status in ENDINGS]
        gone = any(root(item.cl_ord_id) == name and item.ord_status in ENDINGS for item in refused)
        final_report: Any = final_reports[-1] if final_reports else None
        # Amends with the same ClOrdID are answered in the order in which they were sent, each with a report
        # or a refusal.
        answered = [
            item for item in ordered_reports if item.exec_type == ExecType.REPLACED and keeps_id(item)
        ]
        answered += {item.header.msg_seq_num: item for item in refused if keeps_id(item)}.values()
        kept = [item.cl_ord_id for item in answered]
        done = {
            item.cl_ord_id for item in [*ordered_reports, *(item for item in refused if not keeps_id(item))]
        }
        done |= {item.orig_cl_ord_id for item in ordered_reports}
        later = [item.cl_ord_id for item in ordered_reports]
        while later:  # An accepted change implies that the earlier requests of its chain were accepted.
            done.add(later[-1])
            later.append(origin[later.pop()]) if later[-1] in origin else later.pop()
        pending = []
        for request in requests:
            if request.MSG_TYPE == "D" or root(request.cl_ord_id) != name or final_reports:
                continue
            if keeps_id(request):
                if request.cl_ord_id in kept:
                    kept.remove(request.cl_ord_id)
                else:
                    pending.append(request.cl_ord_id)
            elif request.cl_ord_id not in done:
                pending.append(request.cl_ord_id)
        account_sources = [mine[name], *ordered_reports] if name in mine else ordered_reports
        accounts = [item.alloc_account for item in account_sources if item.alloc_account is not None]
        filled_qty = sum((trade.last_qty for trade in trades.values()), Decimal(0))
        cum_qty = max([item.cum_qty for item in ordered_reports], default=Decimal(0))
        rejected = final_report is not None and final_report.ord_status == "8"
        last = ordered_reports[-1] if ordered_reports else mine[name]
        if final_reports:
            state, leaves_qty = "DONE", Decimal(0)
        elif ordered_reports:
            state, leaves_qty = "UNVERIFIED" if gone else "OPEN", last.leaves_qty
        else:
            state, leaves_qty = "SENT", last.order_qty
        rows.append(
            {
                "order_id": None if rejected or not own_reports else own_reports[0].order_id,
                "account": Account(accounts[-1] if accounts else 0),
                "state": state,
                "ending": ENDINGS[final_report.ord_status] if final_report is not None else None,
                "cl_ord_id": last.cl_ord_id,
                "leaves_qty": leaves_qty,
                "price": last.price,
                "cum_qty": cum_qty,
                "filled_qty": filled_qty,
                "unreported_qty": cum_qty - filled_qty,
                "value": sum((trade.last_qty * trade.last_px for trade in trades.values()), Decimal(0)),
                "fees": sum((trade.misc_fees[0].misc_fee_amt for trade in trades.values()), Decimal(0)),
                "trades": sorted(trades),
                "pending": sorted(pending),
            }
        )
    return sorted(rows, key=lambda row: (row["order_id"] or "", row["cl_ord_id"]))


def rows(orders: Iterable[Any]) -> list[Row]:
    """Return the state of each order in `Orders`, as rows like those of `model`."""
    found = [
        {
            "order_id": order.order_id,
            "account": order.account,
            "state": order.state.name,
            "ending": None if order.ending is None else order.ending.name,
            "cl_ord_id": order.cl_ord_id,
            "leaves_qty": order.leaves_qty,
            "price": order.price,
            "cum_qty": order.cum_qty,
            "filled_qty": order.filled_qty,
            "unreported_qty": order.unreported_qty,
            "value": order.value,
            "fees": order.fees,
            "trades": sorted(order.fills),
            "pending": sorted(request.cl_ord_id for request in order.pending),
        }
        for order in orders
    ]
    return sorted(found, key=lambda row: (row["order_id"] or "", row["cl_ord_id"]))
