"""Charts of results as SVG, small and without dependencies; they follow the page's light or dark colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from benchmarks import sizes
from benchmarks.cases import books, codec, stream
from benchmarks.measure import Result
from benchmarks.targets import OURS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "assets" / "performance"
_WIDTH, _ROW, _LEFT, _RIGHT = 720, 24, 230, 70
_STYLE = (
    "<style>text{font:13px sans-serif;fill:#555}.o{fill:#0b7a75}.e{fill:#b9bec4}.l{stroke:#0b7a75;fill:none;"
    "stroke-width:2}.a{stroke:#999}.d{stroke:#999;stroke-dasharray:4 4;fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}.e{fill:#666c73}}</style>"
)


def write(results: Sequence[Result], folder: Path = FOLDER) -> None:
    """Write every chart that there are results for."""
    folder.mkdir(parents=True, exist_ok=True)
    snapshot = books.title(books.KINDS[2], books.BOOK)
    bars = {
        "read.svg": (codec.READ, "µs for one report, parsed and 20 values read"),
        "write.svg": (codec.WRITE, "µs for one order to bytes"),
        "stream.svg": (stream.STREAM, "µs for one message of a 1 MB stream"),
        "book.svg": (snapshot, "µs for a snapshot of 40 levels, from bytes to the book"),
    }
    for name, (case, title) in bars.items():
        found = [(each.engine, each.us_min) for each in results if each.case == case]
        if found:
            (folder / name).write_text(bar_chart(title, found))
    lines = {
        "fields.svg": (sizes.FIELDS, "fields", "µs to decode a report of so many fields"),
        "entries.svg": (sizes.ENTRIES, "entries", "µs to decode a snapshot of so many entries"),
        "books.svg": (sizes.BOOKS, "symbols", "µs to apply an update of one of so many books"),
        "flight.svg": (sizes.FLIGHT, "orders", "µs to send an order while so many are not answered"),
    }
    for name, (case, unit, title) in lines.items():
        points = sizes.slopes(results, case)
        if points:
            (folder / name).write_text(line_chart(title, unit, points))


def bar_chart(title: str, values: Iterable[tuple[str, float]]) -> str:
    """Draw one bar for each engine, the shortest on top."""
    ordered = sorted(values, key=lambda pair: pair[1])
    most = max(value for _, value in ordered)
    room = _WIDTH - _LEFT - _RIGHT
    parts = []
    for row, (name, value) in enumerate(ordered):
        top, length = 34 + row * _ROW, max(1.0, value / most * room)
        kind = "o" if name == OURS else "e"
        parts.append(
            f'<text x="{_LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_ROW - 6}"/>'
            f'<text x="{_LEFT + length + 6:.1f}" y="{top + 14}">{value:.2f}</text>'
        )
    return _svg(title, 40 + len(ordered) * _ROW, parts)


def line_chart(title: str, unit: str, points: Sequence[tuple[int, float]]) -> str:
    """Draw cost against size, and the straight line through the first and the last point."""
    height, bottom, left = 260, 220, 60
    most_x, most_y = max(x for x, _ in points), max(y for _, y in points) * 1.1

    def place(x: float, y: float) -> str:
        return f"{left + x / most_x * (_WIDTH - left - 40):.1f},{bottom - y / most_y * (bottom - 40):.1f}"

    line = " ".join(place(x, y) for x, y in points)
    straight = " ".join(place(*point) for point in (points[0], points[-1]))
    parts = [
        f'<line class="a" x1="{left}" y1="{bottom}" x2="{_WIDTH - 30}" y2="{bottom}"/>',
        f'<line class="a" x1="{left}" y1="34" x2="{left}" y2="{bottom}"/>',
        f'<polyline class="d" points="{straight}"/><polyline class="l" points="{line}"/>',
        f'<text x="{_WIDTH - 30}" y="{bottom + 34}" text-anchor="end">{escape(unit)}</text>',
    ]
    for x, y in points:
        across, down = place(x, y).split(",")
        parts.append(f'<circle class="o" cx="{across}" cy="{down}" r="3.5"/>')
        parts.append(f'<text x="{across}" y="{float(down) - 8:.1f}" text-anchor="middle">{_short(y)}</text>')
    marked = sorted({points[0][0], points[len(points) // 2][0], most_x})
    parts += [
        f'<text x="{place(x, 0).split(",")[0]}" y="{bottom + 16}" text-anchor="middle">{x:,}</text>'
        for x in marked
    ]
    return _svg(title, height, parts)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}"


def _svg(title: str, height: int, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
        f"<title>{escape(title)}</title>{_STYLE}"
        f'<text x="8" y="18">{escape(title)}</text>{"".join(parts)}</svg>\n'
    )
