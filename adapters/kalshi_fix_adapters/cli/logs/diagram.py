"""The messages of an order as a sequence diagram in SVG, with columns for the time, the client and the
venue.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

import attrs

CLIENT_X: Final = 190
"""Horizontal position of the client's vertical line."""
VENUE_X: Final = 700
"""Horizontal position of the venue's vertical line."""
WIDTH: Final = 760
FIRST_ARROW_Y: Final = 56
"""Vertical position of the first arrow."""
ARROW_SPACING: Final = 40
"""Vertical distance between two arrows."""
ARROWHEAD_LENGTH: Final = 8
"""Length of an arrow's head."""
MAX_LABEL: Final = 66
"""Maximum length of a label; longer labels are truncated."""

STYLE: Final = """
.diagram { overflow-x: auto; }
svg { width: 100%; min-width: 40rem; max-width: 60rem; font: 13px system-ui, sans-serif; }
svg text { fill: currentColor; }
svg line { stroke: currentColor; }
svg .life { stroke: var(--line); }
svg .dim { fill: var(--dim); }
svg path { fill: currentColor; }
svg .bad { color: var(--bad); }
"""


@attrs.frozen
class Arrow:
    """A message in the diagram."""

    clock: str
    """Time of day in UTC."""
    elapsed: str
    """Seconds since the previous message; empty if unknown."""
    label: str
    to_venue: bool
    has_problems: bool


def diagram(arrows: Sequence[Arrow]) -> str:
    """Return the diagram; each arrow links to the HTML element of its message, whose id is `m1`, `m2` etc."""
    height = FIRST_ARROW_Y + ARROW_SPACING * len(arrows)
    parts = [
        f'<div class="diagram"><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Sequence diagram">',
        '<text x="0" y="16" class="dim">time (UTC)</text>',
        f'<text x="{CLIENT_X}" y="16" text-anchor="middle">you</text>',
        f'<text x="{VENUE_X}" y="16" text-anchor="middle">venue</text>',
        *(f'<line class="life" x1="{x}" x2="{x}" y1="24" y2="{height}"/>' for x in (CLIENT_X, VENUE_X)),
    ]
    for number, arrow in enumerate(arrows, 1):
        parts.append(_arrow(arrow, number, FIRST_ARROW_Y + ARROW_SPACING * (number - 1)))
    return "\n".join((*parts, "</svg></div>"))


def _arrow(arrow: Arrow, number: int, y: int) -> str:
    tip, back = (VENUE_X, -ARROWHEAD_LENGTH) if arrow.to_venue else (CLIENT_X, ARROWHEAD_LENGTH)
    label = arrow.label if len(arrow.label) <= MAX_LABEL else f"{arrow.label[: MAX_LABEL - 2]}.."
    return (
        f'<a href="#m{number}" class="{"bad" if arrow.has_problems else "good"}">'
        f'<text x="0" y="{y}">{escape(arrow.clock)}</text>'
        f'<text x="0" y="{y + 14}" class="dim">{escape(arrow.elapsed)}</text>'
        f'<text x="{(CLIENT_X + VENUE_X) // 2}" y="{y - 5}" text-anchor="middle">{escape(label)}</text>'
        f'<line x1="{CLIENT_X}" x2="{VENUE_X}" y1="{y}" y2="{y}"/>'
        f'<path d="M{tip} {y}l{back} -4v8z"/></a>'
    )
