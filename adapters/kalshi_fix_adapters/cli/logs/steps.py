"""The history of an order as text for a terminal, and as a self-contained HTML page."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from html import escape
from pathlib import Path
from typing import Final

import attrs

from kalshi_fix_adapters.cli.kit.terminal import Line, StatusLine, plain, pluralize, printable
from kalshi_fix_adapters.cli.logs.diagram import STYLE, Arrow, diagram
from kalshi_fix_adapters.cli.logs.explain import Explanation, explain
from kalshi_fix_adapters.cli.logs.render import FIRST_FIELDS, brief, lines, name_of, time_text
from kalshi_fix_adapters.cli.logs.units import Units
from kalshi_fix_adapters.logs.dates import AsOf, DatedDecoder
from kalshi_fix_adapters.logs.trace import Step, Trace
from kalshi_fix_sansio import SESSION_TYPES

# All messages of an order have the same Symbol.
_SHOWN_FIELDS: Final = frozenset(FIRST_FIELDS) - {"Symbol"} | {
    *("OrdRejReason", "CxlRejReason", "ExecRestatementReason", "RefSeqNum", "RefTagID"),
    *("SessionRejectReason", "BusinessRejectReason", "BusinessRejectRefID", "TimeInForce"),
}
"""The fields of a message that are shown unless all fields are requested."""
_DRAWN_FIELDS: Final = frozenset(("ClOrdID", "ExecType", "LastQty", "LastPx", "Text"))
"""The fields of a message that are shown in the diagram."""
_MAX_NAME: Final = 14
"""Maximum length of a CompID on a terminal. Longer CompIDs are truncated; the summary contains them in
full.
"""
_MAX_IDS: Final = 20
"""Maximum number of ClOrdIDs, and of OrderIDs, in the summary."""


class OrderHistory:
    """The history of an order, prepared for output."""

    def __init__(self, identifier: str, trace: Trace, names: Sequence[str], as_of: AsOf = None) -> None:
        """Store the messages found in logs with these names. See `read_log` for `as_of`."""
        self.steps: tuple[Step, ...] = trace.steps
        self.complete: bool = trace.complete
        self.names = names
        self.title: str = f"Order {printable(identifier)}"
        self.has_problems: bool = False
        """Whether a message yielded by `rows` has problems."""
        self.units: Units = Units()
        self._decoder = DatedDecoder(as_of)
        for logon in trace.logons:
            self.units.record(explain(logon, self._decoder).inspection)
        self._trace = trace

    def summary(self) -> Iterator[tuple[str, str]]:
        """Yield the lines of the summary as pairs of name and text."""
        trace = self._trace
        yield "ClOrdID", _join_ids(trace.client_ids)
        yield "OrderID", _join_ids(trace.order_ids)
        if len(trace.order_ids) > 1:
            yield "note", "several orders: they share a ClOrdID"
        sessions = Counter(" - ".join(sorted((each.sender, each.target))) for each in self.steps)
        for session, count in sessions.items():
            yield "session", f"{printable(session)}: {pluralize(count, 'message')}"
        logs = Counter(each.log for each in self.steps)
        if len(self.names) > 1:
            for log, count in sorted(logs.items()):
                yield "log", f"{printable(self.names[log])}: {pluralize(count, 'message')}"
        times = [each.time for each in self.steps if each.time is not None]
        if times:
            yield "from", f"{time_text(times[0])} UTC"
            yield "duration", f"{(times[-1] - times[0]).total_seconds():.6f} s"

    def rows(self) -> Iterator[_Row]:
        """Yield a row for each message, oldest first."""
        previous: datetime | None = None
        with StatusLine() as line:
            for number, step in enumerate(self.steps):
                if line.is_due():
                    line.show(f"{number:,} of {len(self.steps):,} messages of the order")
                # Explanations are not kept, because each is forty times as large as its message.
                explanation = explain(step.logged, self._decoder)
                self.has_problems |= bool(explanation.problems)
                elapsed = ""
                if step.time is not None:
                    elapsed = "" if previous is None else f"{(step.time - previous).total_seconds():+.6f}"
                    previous = step.time
                where = f"{Path(self.names[step.log]).name}:{step.logged.line}"
                if step.connection is not None:
                    where += f", connection {step.connection}"
                yield _Row(step, explanation, elapsed, where)


@attrs.frozen
class _Row:
    step: Step
    explanation: Explanation
    elapsed: str
    """Seconds since the previous message; empty if unknown."""
    where: str
    """File, line and connection."""

    @property
    def clock(self) -> str:
        return "-" if self.step.time is None else f"{self.step.time:%H:%M:%S.%f}"

    @property
    def day(self) -> date | None:
        return None if self.step.time is None else self.step.time.date()

    @property
    def arrow(self) -> Arrow:
        """The arrow for the message in the diagram."""
        return Arrow(
            clock=self.clock,
            elapsed=f"{self.elapsed} s" if self.elapsed else "",
            label=f"{name_of(self.explanation)} {self._fields_named(_DRAWN_FIELDS)}".rstrip(),
            to_venue=self.step.target in SESSION_TYPES,
            has_problems=bool(self.explanation.problems),
        )

    def fields(self, *, full: bool) -> str:
        return brief(self.explanation.inspection) if full else self._fields_named(_SHOWN_FIELDS)

    def _fields_named(self, names: frozenset[str]) -> str:
        """Return the body fields with these names, on one line."""
        inspection = self.explanation.inspection
        body = tuple(n for n in inspection.body if n.layout is not None and n.layout.name in names)
        return brief(attrs.evolve(inspection, body=body))


def terminal_lines(history: OrderHistory, width: int, *, full: bool) -> Iterator[Line]:
    """Yield lines of at most `width` columns."""
    yield (("bold", history.title),)
    for name, text in history.summary():
        for number, part in enumerate(_wrap(text, width - 11)):
            yield (("dim", f"  {'' if number else name:<8} "), ("", part))
    day: date | None = None
    for row in history.rows():
        yield ()
        if row.day is not None and row.day != day:
            day = row.day
            yield (("bold", f"{day}"),)
        who = f"{_shorten(row.step.sender)} > {_shorten(row.step.target)}"
        yield (("dim", f"{row.clock:<15} {row.elapsed:>11}  "), ("bold cyan", who))
        name = name_of(row.explanation)
        text = f"{name} {row.fields(full=full)} ({printable(row.where)})"
        for number, part in enumerate(_wrap(text, width - 2)):
            if not number and part.startswith(name):
                yield (("", "  "), ("bold", name), ("", part[len(name) :]))
            else:
                yield plain(f"  {part}")
        for problem in row.explanation.problems:
            for number, part in enumerate(_wrap(printable(problem), width - 4)):
                yield (("bold red", "    " if number else "  ! "), ("red", part))


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 20), break_on_hyphens=False) or [""]


def _shorten(comp_id: str) -> str:
    text = printable(comp_id) or "-"
    return text if len(text) <= _MAX_NAME else f"{text[: _MAX_NAME - 2]}.."


def _join_ids(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MAX_IDS:,} more" if len(ids) > _MAX_IDS else ""
    return (", ".join(map(printable, ids[:_MAX_IDS])) or "-") + more


_STYLE: Final = """
:root { color-scheme: light dark; --dim: #667; --line: #ddd; --name: #067; --bad: #b00020; }
@media (prefers-color-scheme: dark) {
  :root { --dim: #99a; --line: #334; --name: #6cd; --bad: #ff8a80; }
  body { background: #15171c; color: #e6e6ea; }
}
body { font: 15px/1.45 system-ui, sans-serif; margin: 1rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt, .dim { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
ol { list-style: none; padding: 0; }
li { border-top: 1px solid var(--line); padding: .5rem 0; overflow-wrap: anywhere; }
time, .elapsed { font-variant-numeric: tabular-nums; }
.who { color: var(--name); }
.bad { color: var(--bad); }
pre { overflow-x: auto; font-size: .85rem; }
"""


def page(history: OrderHistory) -> str:
    """Return a page with all fields of each message."""
    title = escape(history.title)
    facts = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in history.summary())
    items, arrows = [], []
    for number, row in enumerate(history.rows(), 1):
        items.append(_item(row, history.units, number))
        arrows.append(row.arrow)
    steps = "\n".join(items)
    truncated = "" if history.complete else '<p class="bad">The order has more messages than are shown.</p>\n'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{_STYLE}{STYLE}</style>
</head>
<body>
<h1>{title}</h1>
{truncated}<dl>
{facts}
</dl>
{diagram(arrows)}
<ol>
{steps}
</ol>
</body>
</html>
"""


def _item(row: _Row, units: Units, number: int) -> str:
    time = "-" if row.step.time is None else time_text(row.step.time)
    elapsed = f"{row.elapsed} s" if row.elapsed else ""
    who = f"{printable(row.step.sender) or '-'} → {printable(row.step.target) or '-'}"
    _, *parts = lines(row.explanation, units)
    full = "\n".join("".join(part for _, part in line).rstrip() for line in parts)
    problems = [f'<div class="bad">{escape(printable(text))}</div>' for text in row.explanation.problems]
    return "\n".join(
        (
            f'<li id="m{number}"><time>{time}</time> <span class="elapsed dim">{elapsed}</span>',
            f'<span class="who">{escape(who)}</span>',
            f"<div><b>{escape(name_of(row.explanation))}</b> {escape(row.fields(full=False))}</div>",
            *problems,
            f'<details><summary class="dim">{escape(printable(row.where))}</summary>',
            f"<pre>{escape(full)}</pre></details></li>",
        )
    )
