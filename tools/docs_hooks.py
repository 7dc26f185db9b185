"""What `mkdocs build` does besides: diagrams become pictures, and llms.txt lists the pages for programs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mmdr
from mkdocs.exceptions import PluginError

FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WIDTH = re.compile(r'width="100%"(.*?)style="max-width: ?([\d.]+)px;?"')

ELSEWHERE = re.compile(
    r"<(?:script|img|iframe)[^>]+src=\"?https?:|<link[^>]+rel=\"?stylesheet[^>]+href=\"?https?:"
)
"""What a page would load from another host."""

pages: list[tuple[str, str, str]] = []
"""Title, address and first paragraph of each page that the navigation lists."""


def on_pre_build(**_: object) -> None:
    """Begin anew: `mkdocs serve` builds again and again in one process."""
    pages.clear()


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Draw the diagrams now: the theme would load a script from elsewhere to draw them in the browser."""
    if page.file.src_uri.count("/") < 2:
        paragraph = re.search(r"^# .*\n\n(\w[^|\n]*(?:\n[^|\n]+)*)", markdown)
        if paragraph:
            pages.append((page.title, page.file.url, " ".join(paragraph[1].split())))
    return FENCE.sub(draw, markdown)


def draw(fence: re.Match[str]) -> str:
    """Return the picture of a diagram, shrunk to the page's width, but no further than can be read.

    A number of its own keeps the ids of two diagrams on one page apart.
    """
    svg = mmdr.render(fence[1]).svg().replace("merman", f"diagram-{fence.start()}")
    return f'<figure class="diagram">{" ".join(WIDTH.sub(shrink, svg, count=1).split())}</figure>'


def shrink(found: re.Match[str]) -> str:
    """Return attributes that give a picture a size of its own."""
    width = float(found[2])
    return f'{found[1]}style="width: {width:.0f}px; min-width: {0.6 * width:.0f}px"'


def on_post_build(config: Any, **_: object) -> None:
    """Write llms.txt, in the order of the pages, and see that no page loads anything from elsewhere."""
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    lines += [f"- [{title}]({url}): {text}" for title, url, text in pages]
    site = Path(config.site_dir)
    (site / "llms.txt").write_text("\n".join(lines) + "\n", "utf-8")
    elsewhere = [path for path in site.rglob("*.html") if ELSEWHERE.search(path.read_text("utf-8"))]
    if elsewhere:
        raise PluginError(f"{elsewhere[0]} loads something from elsewhere")
