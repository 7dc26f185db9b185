"""Record the animations of the landing page: the simulated venue in the browser, and `kalshi-fix watch`.

`make animations` runs this script, which uses Chromium. Each animation lasts ten seconds and shows a real
program. The first one shows screenshots of the page while a client trades at a venue with order flow. The
second one shows the output of `watch` at the same time.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from kalshi_fix_adapters.blocking import Client, market_data, order_entry
from kalshi_fix_adapters.cli.kit.terminal import styled
from kalshi_fix_adapters.cli.sessions.watch import Books
from kalshi_fix_adapters.errors import ClientTimeoutError
from kalshi_fix_sansio import NewOrderSingle, Side
from kalshi_fix_venue.control import ControlServer
from kalshi_fix_venue.flow import FlowConfig
from kalshi_fix_venue.scenario import Scenario
from kalshi_fix_venue.testing import Sandbox
from kalshi_fix_venue.web import WebServer

ASSETS: Final = Path(__file__).resolve().parent.parent / "docs" / "assets"
MARKETS: Final = ("KXNBA-27-NYK", "KXHIGHNY-26DEC31-B50")
FRAMES: Final = 30
FRAME_MS: Final = 10_000 // FRAMES
WIDTH: Final = 60
"""Columns of the terminal."""
TERMINAL: Final = (
    "<body style='margin:0;background:#16181a;color:#dfe2e5'><pre style='margin:0;padding:18px 22px;"
    "font:15px/1.45 DejaVu Sans Mono,monospace'>{code}</pre></body>"
)


def main() -> None:
    """Write both animations."""
    scenario = attrs.evolve(Scenario(), flow=FlowConfig(seed=7)).with_owners(["you"]).with_keys(count=2)
    with (
        Sandbox(scenario=scenario) as sandbox,
        tempfile.TemporaryDirectory() as folder,
        ControlServer(sandbox.server, Path(folder)) as channel,
        WebServer(sandbox.server, channel) as server,
        sync_playwright() as playwright,
        order_entry(**sandbox.options("you", "prediction", "KalshiNR")) as orders,
        market_data(**sandbox.options("you", "prediction", "KalshiMD", key=1)) as feed,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": 1280, "height": 1000}, device_scale_factor=0.75)
        terminal = browser.new_page(viewport={"width": 600, "height": 350})
        books = Books(feed, MARKETS, depth=5)
        page.goto(server.url)
        page.locator("#markets button", has_text=MARKETS[0]).click()
        page.locator("#book-title", has_text=MARKETS[0]).wait_for()
        steps = steps_of(page, orders)
        venue_shots: list[bytes] = []
        watch_shots: list[bytes] = []
        for frame in range(FRAMES):
            steps.get(frame, lambda: None)()
            page.wait_for_timeout(FRAME_MS / 3)
            take_events(feed, books)
            venue_shots.append(page.screenshot())
            terminal.set_content(TERMINAL.format(code=html_of(books)))
            watch_shots.append(terminal.screenshot())
        browser.close()
    write(ASSETS / "venue.webp", venue_shots)
    write(ASSETS / "watch.webp", watch_shots)


def steps_of(page: Page, orders: Client) -> dict[int, Callable[[], Any]]:
    """Return the actions by frame number: orders, a fill, the explanation of a message, a fault."""

    def place(number: int, side: Side, price: str) -> Callable[[], Any]:
        order = NewOrderSingle(
            cl_ord_id=f"quote-{number}", symbol=MARKETS[0], side=side, price=price, order_qty=20
        )
        return lambda: orders.send(order)

    return {
        2: place(1, Side.BUY, "0.09"),
        4: place(2, Side.SELL, "0.18"),
        6: page.locator("#sessions button", has_text="KalshiNR").click,
        8: lambda: page.locator("#orders tr", has_text="quote-1").get_by_role("button").click(),
        13: page.locator("#messages button", has_text="ExecutionReport").first.click,
        19: lambda: page.keyboard.press("Escape"),
        21: lambda: page.locator("#faults").get_by_role("button", name="delay", exact=True).click(),
        23: lambda: page.locator("#operation input[name=by]").fill("2"),
        25: lambda: page.get_by_role("button", name="Run").click(),
    }


def take_events(feed: Client, books: Books) -> None:
    """Apply the events that are available now."""
    with contextlib.suppress(ClientTimeoutError):
        while True:
            books.apply(feed.receive(0.02))


def html_of(books: Books) -> str:
    """Return the view that `watch` draws, as HTML."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(styled(books.render(WIDTH, None)))
    return console.export_html(theme=DIMMED_MONOKAI, inline_styles=True, code_format="{code}")


def write(path: Path, frames: list[bytes]) -> None:
    """Write screenshots as an animation."""
    first, *others = (Image.open(io.BytesIO(frame)).convert("RGB") for frame in frames)
    first.save(path, save_all=True, append_images=others, duration=FRAME_MS, loop=0, quality=60, method=6)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
