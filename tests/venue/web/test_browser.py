"""The page of the venue in Chromium, at desktop and phone widths.

Skipped unless Chromium and Playwright are installed (`make browser` installs them); `BROWSER_REQUIRED=1`
turns a skip into a failure."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import NewOrderSingle, Side
from kalshi_fix_venue.exchange import PauseState
from kalshi_fix_venue.operations import OPERATIONS
from tests.programs import skip_unless_required
from tests.venue.web.conftest import Page

CHROMIUM = Path("/usr/bin/chromium")
MARKET = "KXNBA-27-NYK"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FOREIGN_REQUEST = """async ([url, token]) => {
  const refused = [];
  for (const options of [
    { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: '{"do": "pause"}' },
    { method: "POST", mode: "no-cors", body: '{"do": "pause"}' },
    { headers: { Authorization: `Bearer ${token}` } },
    {},
  ]) refused.push(await fetch(url, options).then((answer) => answer.type === "opaque", () => true));
  return refused;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        skip_unless_required("BROWSER", f"there is no {CHROMIUM}; make browser installs it")
    if importlib.util.find_spec("playwright") is None:
        skip_unless_required("BROWSER", "there is no Playwright; make browser installs it")
    from playwright.sync_api import sync_playwright

    resolve = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=[resolve, "--no-proxy-server", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(params=[1280, 390])
def tab(request: pytest.FixtureRequest, browser: Any, page: Page) -> Iterator[Any]:
    """Return the open page at the given width; errors in its script fail the test."""
    context = browser.new_context(viewport={"width": request.param, "height": 844})
    opened = context.new_page()
    errors: list[object] = []
    opened.on("pageerror", lambda error: errors.append(error))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.goto(page.server.url)
    opened.wait_for_selector("#state.live")
    opened.wait_for_selector("#markets button[aria-pressed=true]")
    yield opened
    assert opened.evaluate(OVERFLOW) == 0
    assert errors == []
    context.close()


def test_the_token_is_removed_from_the_address(tab: Any, page: Page) -> None:
    assert tab.url == f"http://127.0.0.1:{page.server.port}/"
    tab.reload()  # the token is kept for this tab
    tab.wait_for_selector("#state.live")


def test_every_operation_has_a_button_and_a_form_that_fits(tab: Any) -> None:
    for name, cls in OPERATIONS.items():
        tab.locator(".buttons").get_by_role("button", name=name, exact=True).click()
        dialog = tab.locator("#operation[open]")
        assert " ".join((cls.__doc__ or "").split()) in dialog.inner_text()
        assert tab.evaluate(OVERFLOW) == 0
        tab.keyboard.press("Escape")
        dialog.wait_for(state="detached")


def test_a_fault_is_armed_and_released_with_buttons(tab: Any, page: Page) -> None:
    tab.locator("#faults").get_by_role("button", name="delay", exact=True).click()
    tab.locator("#operation input[name=by]").fill("0.5")
    tab.locator("#operation summary").click()
    tab.locator("#operation select[name=session]").select_option("KalshiMD")
    tab.get_by_role("button", name="Run").click()
    tab.locator("#armed >> text=delay").wait_for()
    [armed] = page.sandbox.server.inspect(lambda venue: venue.faults())
    assert armed["fault"] == "delay"
    assert "KalshiMD" in str(armed["with"])
    tab.get_by_role("button", name="Release", exact=True).click()
    tab.locator("#armed >> text=delay").wait_for(state="detached")
    assert page.sandbox.server.inspect(lambda venue: venue.faults()) == []


def test_a_refusal_is_shown(tab: Any) -> None:
    tab.locator("#others").get_by_role("button", name="halt", exact=True).click()
    tab.locator("#operation input[name=market]").fill("KXNBA-27-NYX")
    tab.get_by_role("button", name="Run").click()
    tab.locator("#answer.bad >> text=did you mean").wait_for()


def test_an_order_its_fill_and_its_messages_are_shown(tab: Any, page: Page) -> None:
    tab.locator("#markets button", has_text=MARKET).click()
    name = f"bid-{tab.viewport_size['width']}"
    order = NewOrderSingle(cl_ord_id=name, symbol=MARKET, side=Side.BUY, price="0.12", order_qty=7)
    with order_entry(**page.sandbox.options("you", "prediction", "KalshiNR")) as client:
        client.send(order)
        row = tab.locator("#orders tr", has_text=name)
        row.wait_for()
        tab.locator("#book >> text=yours 7").wait_for()
        assert tab.evaluate(OVERFLOW) == 0
        row.get_by_role("button", name="Trade against me").click()
        row.wait_for(state="detached")
        tab.locator("#trades >> text=you bought").first.wait_for()
        tab.locator("#sessions button", has_text="KalshiNR").click()
        tab.locator("#messages button", has_text=name).filter(has_text="NewOrderSingle").first.click()
        explained = tab.locator("#message[open]").inner_text()
        assert "NewOrderSingle (35=D)" in explained
        fields = " ".join(explained.split())
        assert "Side (54) 1 (BUY)" in fields
        assert "OrderQty (38) 7" in fields
        assert "0.12 dollars" in fields
        assert tab.evaluate(OVERFLOW) == 0
        tab.keyboard.press("Escape")


def test_a_button_lets_another_participant_trade(tab: Any) -> None:
    tab.locator("#markets button", has_text="BTC-PERP").click()
    tab.locator("#book-title >> text=BTC-PERP").wait_for()
    tab.locator("#trade input").fill("2")
    tab.locator("#trade button.buy").click()
    tab.locator("#answer >> text=BTC-PERP: 2 traded at").wait_for()


def test_the_page_follows_the_colour_scheme_of_the_system(browser: Any, page: Page) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        opened = context.new_page()
        opened.goto(page.server.url)
        colours.add(opened.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert len(colours) == 2


def test_without_the_token_the_page_shows_the_command_to_run(browser: Any, page: Page) -> None:
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(f"http://127.0.0.1:{page.server.port}/")
    opened.locator("#state >> text=kalshi-fix venue --web").wait_for()
    context.close()


def test_other_sites_are_refused_with_or_without_the_token(browser: Any, page: Page, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("another site")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    port, token = page.server.port, page.token
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        context = browser.new_context()
        opened = context.new_page()
        # A foreign site, and another port of this machine, which a browser treats as the same site.
        for host in ("evil.example", "127.0.0.1"):
            opened.goto(f"http://{host}:{site.server_address[1]}/")
            for path in ("do", "operations", "updates"):
                url = f"http://127.0.0.1:{port}/{path}"
                assert opened.evaluate(FOREIGN_REQUEST, [url, token]) == [True] * 4
        answer = opened.goto(f"http://evil.example:{port}/#{token}")
        assert answer.status == 421
        # Under the other name the request has the origin of its page, and is refused because of its Host.
        url = f"http://evil.example:{port}/do"
        assert (
            opened.evaluate("(url) => fetch(url, {method: 'POST'}).then((answer) => answer.status)", url)
            == 421
        )
        context.close()
        site.shutdown()
        thread.join()
    assert page.sandbox.server.inspect(lambda venue: venue.exchange("prediction").pause) is PauseState.OPEN
