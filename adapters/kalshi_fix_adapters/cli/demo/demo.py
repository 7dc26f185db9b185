"""`kalshi-fix demo`: a first order against the simulated Kalshi."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

import click

from kalshi_fix_adapters.cli.demo.script import OTHER, YOU, DemoScript, Told
from kalshi_fix_adapters.cli.failures import told_plainly
from kalshi_fix_adapters.cli.logs.render import code_name, value
from kalshi_fix_adapters.cli.logs.units import Units
from kalshi_fix_adapters.cli.terminal import Line, Screen, plain
from kalshi_fix_adapters.testing import MARGIN, PREDICTION, Sandbox
from kalshi_fix_sansio import ExecType, ExecutionReport
from kalshi_fix_sansio.codec import FieldNode, Inspection, Node

WIDTH = 100
"""Columns of running text at most."""
_INDENT = " " * 6
_SEED = 1
"""Of the ids and of the resting orders, so that every demo is the same but for keys and times."""


@click.command()
def demo() -> None:
    """Show a first order from end to end: logon, book, order, amend, fill, cancel, logout, on both
    products.

    Everything runs on this machine: a simulated Kalshi on loopback TLS ports, with keys and a certificate
    authority made for the occasion. The exit status is 1 if something does not go as it must.
    """
    telling = _Telling(Screen())
    with told_plainly(), Sandbox((YOU, OTHER), random=Random(_SEED)) as sandbox:  # noqa: S311 - a fixed tale
        telling.introduction(sandbox)
        script = DemoScript(sandbox, telling)
        script.prediction()
        script.margin()
    telling.tables(script.told)


class _Telling:
    """Prints what happens."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._units = {PREDICTION: Units(), MARGIN: Units(always_dollars=True)}
        self._chapters = 0

    def introduction(self, sandbox: Sandbox) -> None:
        """Set the scene."""
        port = sandbox.server.port(PREDICTION, "KalshiNR")
        self._screen.lines(
            [
                (("bold", "A first order, end to end"),),
                plain(f"A simulated Kalshi listens on {sandbox.server.host} (KalshiNR on port {port})."),
                plain("Its certificate authority and your API keys are made for this run. All of it is TLS."),
            ]
        )

    def chapter(self, heading: str, gloss: str) -> None:
        """Begin a part."""
        self._chapters += 1
        self._screen.lines([(), (("bold", f"{self._chapters}. {heading}"),), (("italic", f"   {gloss}"),)])

    def message(self, product: str, sender: str, receiver: str, message: Inspection) -> None:
        """Tell of one message: who sent it, and its fields by name."""
        units = self._units[product]
        units.learn(message)
        name = "a message" if message.layout is None else message.layout.name
        way = f"   {sender} -> {receiver}: "
        width = min(self._screen.width, WIDTH)
        heading: Line = (("green", way), ("bold", name), ("", f" ({message.msg_type})"))
        self._screen.lines([heading, *_fields(message.body, message, units, _INDENT, width)])
        self._screen.flush()

    def tables(self, told: list[Told]) -> None:
        """End with the orders and the fills."""
        self._screen.lines([()])
        self._screen.table(
            "Orders (contracts, dollars)",
            ["product", "who", "order", "side", "qty", "price", "filled", "left", "status"],
            [_order_row(last) for last in _last_reports(told)],
        )
        self._screen.lines([()])
        self._screen.table(
            "Fills (contracts, dollars)",
            ["product", "who", "order", "side", "qty", "price", "fee", "trade id"],
            [_fill_row(one) for one in told if one.report.exec_type == ExecType.TRADE],
        )


def _fields(
    nodes: Iterable[Node], message: Inspection, units: Units, indent: str, width: int
) -> Iterator[Line]:
    row: list[str] = []
    for node in nodes:
        if isinstance(node, FieldNode):
            row.append(f"{_name(node)} {_meaning(node, message, units)}")
            continue
        yield from _wrapped(row, indent, width)
        row = []
        for number, entry in enumerate(node.entries, 1):
            yield plain(f"{indent}{node.layout.name} {number} of {len(node.entries)}")
            yield from _fields(entry, message, units, indent + "  ", width)
    yield from _wrapped(row, indent, width)


def _name(node: FieldNode) -> str:
    return f"tag {node.tag}" if node.layout is None else node.layout.name


def _meaning(node: FieldNode, message: Inspection, units: Units) -> str:
    """Return a code by its meaning alone, anything else as it is with its unit."""
    meaning = None if node.layout is None else code_name(node.layout, node.text)
    return meaning or value(node, message, units)


def _wrapped(row: list[str], indent: str, width: int) -> list[Line]:
    """Return items as lines; each item stays on one of them."""
    lines: list[str] = []
    for item in row:
        if lines and len(indent) + len(lines[-1]) + len(item) + 3 <= width:
            lines[-1] += f", {item}"
        else:
            lines.append(item)
    return [plain(line) for line in ",\n".join(indent + line for line in lines).splitlines()]


def _last_reports(told: list[Told]) -> list[Told]:
    """Return the last report of each order, in the order in which they were placed."""
    last = {(one.product, one.who, one.report.order_id): one for one in told}
    return list(last.values())


def _order_row(one: Told) -> list[str]:
    report = one.report
    return [
        *(one.product, one.who, report.orig_cl_ord_id or report.cl_ord_id, _word(report.side)),
        *(str(report.order_qty), str(report.price), str(report.cum_qty), str(report.leaves_qty)),
        _word(report.ord_status),
    ]


def _fill_row(one: Told) -> list[str]:
    report = one.report
    return [
        *(one.product, one.who, report.cl_ord_id, _word(report.side)),
        *(str(report.last_qty), str(report.last_px), _fees(report), (report.trd_match_id or "-")[:8]),
    ]


def _fees(report: ExecutionReport) -> str:
    return str(sum(fee.misc_fee_amt for fee in report.misc_fees)) if report.misc_fees else "-"


def _word(code: object) -> str:
    return str(getattr(code, "name", code))
