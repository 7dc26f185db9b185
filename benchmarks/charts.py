"""Charts of results as SVG, which follow the reader's light or dark mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from benchmarks import report, samples
from benchmarks.cases import books, codec, loopback, shapes, sizes, stream, ticks
from benchmarks.engines.ours import NAME as OURS
from benchmarks.measure import ROOT, Result
from benchmarks.targets import value

FOLDER = ROOT / "docs" / "assets" / "performance"
_SNAPSHOT = books.title(books.KINDS[2], books.BOOK)
_TICK = "From an update of the book to the order over loopback, with pauses of 5 ms"
BARS = {
    "tick.svg": (f"{ticks.STANDARD.name}, p50", f"{_TICK}, median"),
    "tick-tail.svg": (f"{ticks.STANDARD.name}, p99.9", f"{_TICK}, p99.9"),
    "read.svg": (codec.READ, "One execution report: parsed, 20 values read"),
    "write.svg": (codec.WRITE, "One order to bytes"),
    "stream.svg": (stream.STREAM, "One message of a 1 MB stream"),
    "book.svg": (_SNAPSHOT, "A snapshot of 40 levels, from bytes to the book"),
    "trip.svg": (loopback.MEDIAN, "From an order to its report over loopback, median"),
}
LINES = {
    "fields.svg": (sizes.FIELDS, "fields", "Decoding a report: µs by number of fields"),
    "entries.svg": (sizes.ENTRIES, "entries", "Decoding a snapshot: µs by number of entries"),
    "books.svg": (sizes.BOOKS, "books", "Applying an update: µs by number of books"),
    "live.svg": (
        sizes.LIVE_ORDERS,
        "symbols",
        "Querying the live orders of a symbol: µs by number of symbols",
    ),
    "memory.svg": (sizes.MEMORY, "books", f"Books of {samples.LEVELS} levels: MiB by number of books"),
    "sessions.svg": (sizes.SESSIONS, "sessions", "Receiving a report: µs by number of sessions"),
    "shapes.svg": (shapes.SHAPES, "shapes", "Decoding a report: µs by number of shapes in rotation"),
    "read-log.svg": (sizes.READ_LOG, "MB", "Reading a log: µs per message by MB"),
    "lines.svg": (sizes.LINES, "MB", "Decoding a log to lines: µs per message by MB"),
    "flight.svg": (sizes.IN_FLIGHT, "orders", "Sending an order: µs by number of unanswered orders"),
}
TIMES_SIGN = "\N{MULTIPLICATION SIGN}"
_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 760, 26, 270, 150, 44
_STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#444}.t{font-weight:600;font-size:14px;fill:#111}"
    ".r{fill:#777}.o{fill:#0b7a75}.s{fill:#7fbcb8}.e{fill:#b4bac2}.l{stroke:#0b7a75;fill:none;stroke-width:2}"
    ".a{stroke:#999}.d{stroke:#999;stroke-dasharray:4 4;fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#ccc}.t{fill:#fff}.r{fill:#999}.o{fill:#35b0a7}.s{fill:#1f6863}"
    ".e{fill:#5d646d}.l{stroke:#35b0a7}}</style>"
)


def draw(results: Sequence[Result]) -> dict[str, str]:
    """Return every chart for which there are results, by the name of its file."""
    charts = {}
    for name, (case, title) in BARS.items():
        values = [(each.engine, value(each)) for each in results if each.case == case]
        if values:
            charts[name] = bar_chart(title, values)
    for name, (case, unit, title) in LINES.items():
        points = sizes.costs_by_size(results, case)
        if points:
            charts[name] = line_chart(title, unit, points)
    return charts


def write(results: Sequence[Result], folder: Path = FOLDER) -> None:
    """Write every chart for which there are results."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in draw(results).items():
        (folder / name).write_text(text, encoding="utf-8")


def bar_chart(title: str, values: Iterable[tuple[str, float]]) -> str:
    """Draw one bar for each engine, the shortest on top, labelled with its ratio to ours."""
    ordered = sorted(values, key=lambda pair: pair[1])
    longest, ours = max(value for _, value in ordered), dict(ordered).get(OURS)
    plot_width = _WIDTH - _LEFT - _RIGHT
    parts = []
    for row, (name, us) in enumerate(ordered):
        top, length = _TOP + row * _ROW, max(1.0, us / longest * plot_width)
        kind = "e" if not name.startswith(OURS) else "s" if loopback.BARE in name else "o"
        ratio_text = ""
        if ours is not None and name != OURS:
            ratio_text = f'<tspan class="r" dx="8">{TIMES_SIGN} {us / ours:.{1 if us > ours else 2}f}</tspan>'
        parts.append(
            f'<text x="{_LEFT - 10}" y="{top + 15}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_ROW - 6}" rx="2"/>'
            f'<text x="{_LEFT + length + 8:.1f}" y="{top + 15}">{report.format_value(us)}{ratio_text}</text>'
        )
    return _svg(title, _TOP + 6 + len(ordered) * _ROW, parts)


def line_chart(title: str, unit: str, points: Sequence[tuple[int, float]]) -> str:
    """Draw cost against size, and the straight line through the first and last points."""
    height, bottom, left, right = 280, 230, 40, 60
    max_x, max_y = max(x for x, _ in points), max(y for _, y in points) * 1.15

    def position(x: float, y: float) -> tuple[float, float]:
        return left + x / max_x * (_WIDTH - left - right), bottom - y / max_y * (bottom - _TOP)

    def path(points: Iterable[tuple[float, float]]) -> str:
        return " ".join(
            f"{pixel_x:.1f},{pixel_y:.1f}" for pixel_x, pixel_y in (position(*each) for each in points)
        )

    parts = [
        f'<line class="a" x1="{left}" y1="{bottom}" x2="{_WIDTH - right}" y2="{bottom}"/>',
        f'<line class="a" x1="{left}" y1="{_TOP}" x2="{left}" y2="{bottom}"/>',
        f'<polyline class="d" points="{path((points[0], points[-1]))}"/>',
        f'<polyline class="l" points="{path(points)}"/>',
        f'<text x="{_WIDTH - right}" y="{bottom + 38}" text-anchor="end">{escape(unit)}</text>',
    ]
    last_label_x = float("-inf")
    for x, y in points:
        pixel_x, pixel_y = position(x, y)
        parts.append(f'<circle class="o" cx="{pixel_x:.1f}" cy="{pixel_y:.1f}" r="3.5"/>')
        if pixel_x - last_label_x >= 45:  # otherwise it would overlap the previous label
            last_label_x = pixel_x
            parts += [
                f'<text x="{pixel_x:.1f}" y="{pixel_y - 10:.1f}" text-anchor="middle">{_label(y)}</text>',
                f'<text x="{pixel_x:.1f}" y="{bottom + 18}" text-anchor="middle">{x:,}</text>',
            ]
    return _svg(title, height, parts)


def _label(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}"


def _svg(title: str, height: int, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
        f"<title>{escape(title)}</title>{_STYLE}"
        f'<text class="t" x="8" y="22">{escape(title)}</text>{"".join(parts)}</svg>\n'
    )
