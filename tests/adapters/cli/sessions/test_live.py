"""Live output, on pseudo-terminals and in pipes, against a simulated venue."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.cli.sessions.orders import OpenOrders
from kalshi_fix_adapters.cli.sessions.watch import Books
from kalshi_fix_adapters.errors import NotConnectedError
from kalshi_fix_sansio import Logon
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import LoggedOn
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.cli.pipes import lines_until, started
from tests.adapters.cli.runner import invoke
from tests.adapters.cli.terminals import (
    COLOUR,
    ENTER_ALTERNATE_SCREEN,
    HIDE_CURSOR,
    LEAVE_ALTERNATE_SCREEN,
    SHOW_CURSOR,
    Terminal,
    plain,
)
from tests.adapters.cli.venue_environ import write_environ

MARKET, OTHER_MARKET = "KXHIGHNY-26DEC31-B50", "KXNBA-27-NYK"


@pytest.fixture
def second_key(environ: dict[str, str]) -> dict[str, str]:
    """The variables for another key of the same account."""
    return environ | {
        name.removesuffix("_2"): value for name, value in environ.items() if name.endswith("_2")
    }


@pytest.fixture
def other_trader(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return write_environ(sandbox, "them", tmp_path / "theirs")


def run(environ: dict[str, str], *arguments: str) -> None:
    invoke(*arguments, "--yes", environ=environ)


def assert_terminal_is_restored(terminal: Terminal) -> None:
    """Assert that the terminal modes are restored and that nothing was printed outside the view."""
    before, _, rest = terminal.output.partition(ENTER_ALTERNATE_SCREEN)
    drawn, _, after = rest.rpartition(LEAVE_ALTERNATE_SCREEN)
    # For Ctrl-C the kernel sends the signal first and checks afterwards whether to echo "^C": a fast process
    # has already switched echoing on again.
    assert (plain(before), plain(after).removeprefix("^C")) == ("", "")
    assert HIDE_CURSOR in before + drawn
    assert (drawn + after).rindex(SHOW_CURSOR) > (before + drawn).rindex(HIDE_CURSOR) - len(before)
    assert terminal.has_original_modes


@pytest.mark.parametrize(("columns", "rows"), [(60, 24), (120, 30)])
def test_a_book_is_drawn_in_place_until_ctrl_c(
    environ: dict[str, str], other_trader: dict[str, str], columns: int, rows: int
) -> None:
    with Terminal(["watch", MARKET], environ, columns=columns, rows=rows) as terminal:
        terminal.expect("connected since")
        terminal.expect("0.4300    0.4700")
        run(other_trader, "order", "buy", MARKET, "7", "0.44", "--id", f"n-{columns}")
        shown = terminal.expect("7.00    0.4400    0.4700")
        assert "spread 0.0300, changed " in shown
        run(other_trader, "cancel", f"n-{columns}", "buy", MARKET)
        terminal.expect("0.4300    0.4700")
        assert terminal.status_after("\x03") == 130
        assert_terminal_is_restored(terminal)
        assert COLOUR.search(terminal.output) is not None
        for frame in terminal.frames():
            assert len(frame) <= rows
            assert max(map(len, frame)) <= columns
        assert "KalshiMD prediction, demo" in terminal.frames()[-1][0]


def test_no_colour_sequence_is_printed_if_colours_are_disabled(environ: dict[str, str]) -> None:
    with Terminal(["watch", MARKET], {**environ, "NO_COLOR": "1"}) as terminal:
        terminal.expect("0.4300    0.4700")
        assert terminal.status_after("q") == 0
        assert COLOUR.search(terminal.output) is None
        assert_terminal_is_restored(terminal)


def test_the_view_follows_the_size_of_the_terminal(environ: dict[str, str]) -> None:
    with Terminal(["watch", MARKET, OTHER_MARKET], environ) as terminal:
        terminal.expect("0.4300    0.4700")
        terminal.resize(120, 24)
        wide = terminal.expect("q or Ctrl-C to quit")
        while not any(MARKET in line and OTHER_MARKET in line for line in wide.split("\n")):
            wide = terminal.expect("q or Ctrl-C to quit")
        # Too few rows for two books: each gets one line.
        terminal.resize(60, 10)
        terminal.expect("market                      bid    offer   spread  changed")
        terminal.expect(f"{MARKET}     0.4300   0.4700   0.0400  ")
        assert terminal.status_after("q") == 0


def test_rows_beyond_the_screen_are_reached_by_scrolling(environ: dict[str, str]) -> None:
    with Terminal(["watch", MARKET, OTHER_MARKET, "--depth", "50"], environ, rows=8) as terminal:
        terminal.expect("rows 1 to 4 of 9, arrow keys scroll")
        terminal.type("\x1b[B")
        shown = terminal.expect("rows 2 to 5 of 9")
        assert "spread" not in shown[shown.rindex("connected") :]
        terminal.type(" x\x1b[6~")
        terminal.expect("rows 6 to 9 of 9")
        terminal.type("k")
        terminal.expect("rows 5 to 8 of 9")
        terminal.type("g")
        terminal.expect("rows 1 to 4 of 9")
        assert terminal.status_after("\x1b[5~q") == 0


def test_books_are_stale_during_a_disconnect_and_requested_again(
    environ: dict[str, str], sandbox: Sandbox
) -> None:
    with Terminal(["watch", MARKET], environ) as terminal:
        terminal.expect("0.4300    0.4700")
        # Keep the venue busy until the text is on the screen, because the client may reconnect before the
        # next redraw.
        sandbox.server.perform(operation("busy", {"times": 0}))
        sandbox.server.perform(operation("cut", {}))
        lost = terminal.expect("stale: the session ended, ")
        assert "NO CONNECTION since " in lost
        view = lost[lost.rindex("NO CONNECTION") :]
        assert "0.4300" not in view
        terminal.expect("logon service busy")
        sandbox.server.perform(operation("release", {}))
        terminal.expect("connected since")
        terminal.expect("0.4300    0.4700")
        assert terminal.status_after("\x03") == 130
        assert_terminal_is_restored(terminal)


def test_a_final_refusal_by_the_venue_ends_the_command_with_one_sentence(
    environ: dict[str, str], sandbox: Sandbox
) -> None:
    with Terminal(["watch", MARKET], environ) as terminal:
        terminal.expect("0.4300    0.4700")
        sandbox.server.perform(operation("refuse-logon", {"text": "INVALID_SIGNATURE", "times": 0}))
        sandbox.server.perform(operation("cut", {}))
        text = terminal.expect("kalshi-fix: ")
        assert terminal.wait_for_exit() == 1
        after = plain(terminal.output.rpartition(LEAVE_ALTERNATE_SCREEN)[2])
        assert all(len(line) <= 60 for line in after.splitlines())
        assert "INVALID_SIGNATURE" in after
        assert text
        assert terminal.has_original_modes
    sandbox.server.perform(operation("release", {}))


def test_sigterm_and_ctrl_z_restore_the_terminal(environ: dict[str, str]) -> None:
    with Terminal(["watch", MARKET], environ) as terminal:
        terminal.expect("0.4300    0.4700")
        # Without a shell that could resume the process, the kernel does not stop it, so it continues at once.
        terminal.type("\x1a")
        terminal.expect("q or Ctrl-C to quit")
        while terminal.output.count(ENTER_ALTERNATE_SCREEN) < 2:
            terminal.expect("q or Ctrl-C to quit")
        assert terminal.output.count(LEAVE_ALTERNATE_SCREEN) == 1
        terminal.signal(signal.SIGTERM)
        assert terminal.wait_for_exit() == 128 + signal.SIGTERM
        assert terminal.output.count(LEAVE_ALTERNATE_SCREEN) == 2
        assert terminal.has_original_modes


def test_open_orders_are_followed_across_a_lost_connection(
    environ: dict[str, str], second_key: dict[str, str], sandbox: Sandbox
) -> None:
    with Terminal(["orders"], second_key, rows=30) as terminal:
        terminal.expect("0 open")
        run(environ, "order", "buy", MARKET, "10", "0.10", "--id", "o-1")
        terminal.expect(f"buy 10.00 {MARKET} at 0.1000")
        # Keep the venue busy until the text is on the screen, because the client may reconnect before the
        # next redraw.
        sandbox.server.perform(operation("busy", {"session": "KalshiNR", "times": 0}))
        sandbox.server.perform(operation("cut", {"session": "KalshiNR"}))
        lost = terminal.expect("Uncertain: order o-1: it may have been")
        sandbox.server.perform(operation("release", {}))
        assert "1 open, 1 uncertain" in lost
        assert "at 0.1000 (unverified)" in lost
        terminal.expect("connected since")
        terminal.expect("1 open ")
        run(environ, "cancel", "o-1", "buy", MARKET, "--id", "o-1-end")
        terminal.expect("0 open")
        terminal.expect("o-1-end canceled, 0 left")
        assert terminal.status_after("\x03") == 130
        assert_terminal_is_restored(terminal)
        assert max(len(line) for frame in terminal.frames() for line in frame) <= 60


def test_orders_placed_during_a_disconnect_are_shown_afterwards(
    environ: dict[str, str], second_key: dict[str, str], sandbox: Sandbox
) -> None:
    with Terminal(["orders"], second_key, rows=30) as terminal:
        terminal.expect("0 open")
        busy = {"session": "KalshiNR", "key": second_key["KALSHI_KEY_ID"], "times": 0}
        sandbox.server.perform(operation("busy", busy))
        sandbox.server.perform(operation("cut", {"key": second_key["KALSHI_KEY_ID"]}))
        terminal.expect("NO CONNECTION")
        run(environ, "order", "buy", MARKET, "3", "0.11", "--id", "o-2")
        sandbox.server.perform(operation("release", {}))
        terminal.expect(f"buy 3.00 {MARKET} at 0.1100")
        assert terminal.status_after("q") == 0
    run(environ, "cancel", "o-2", "buy", MARKET)


def test_in_a_pipe_each_change_is_a_line(
    environ: dict[str, str], other_trader: dict[str, str], sandbox: Sandbox
) -> None:
    with started("watch", MARKET, environ=environ) as process:
        lines = lines_until(process, f"{MARKET} 0.4300x")
        run(other_trader, "order", "buy", MARKET, "7", "0.44", "--id", "p-1")
        lines += lines_until(process, f"{MARKET} 0.4400x7.00 0.4700x")
        run(other_trader, "cancel", "p-1", "buy", MARKET)
        sandbox.server.perform(operation("cut", {"session": "KalshiMD"}))
        lines += lines_until(process, f"{MARKET} stale: the session ended")
        lines += lines_until(process, "connected")
        lines += lines_until(process, f"{MARKET} 0.4300x")
        process.send_signal(signal.SIGINT)
        rest, text = process.communicate(timeout=30)
        assert (process.returncode, text) == (130, b"")
    assert "\x1b" not in "".join([*lines, rest.decode()])
    assert any("connection lost, next attempt in " in line for line in lines)


def test_in_a_pipe_uncertain_orders_are_printed_as_lines(
    environ: dict[str, str], second_key: dict[str, str], sandbox: Sandbox
) -> None:
    run(environ, "order", "buy", MARKET, "10", "0.10", "--id", "q-0")
    run(environ, "cancel", "q-0", "buy", MARKET, "--id", "q-0-end")
    run(environ, "order", "buy", MARKET, "4", "0.10", "--id", "q-9")
    with started("orders", environ=second_key) as process:
        # The reports requested at the start are not printed as changes.
        first, *lines = lines_until(process, f"q-9 buy 4.00 {MARKET} at 0.1000")
        assert [first.split()[1:], *(line.split()[1:] for line in lines[:-1])] == [
            ["connected"],
            ["1", "open", "order"],
        ]
        run(environ, "cancel", "q-9", "buy", MARKET, "--id", "q-9-end")
        lines += lines_until(process, "q-9-end canceled, 0 left")
        run(environ, "order", "buy", MARKET, "10", "0.10", "--id", "q-1")
        lines += lines_until(process, "q-1 open, 10.00 left")
        # The request for past reports at the start is not printed as uncertain.
        assert not [line for line in lines if "Reports from shard" in line or "outcomes are known" in line]
        sandbox.server.perform(operation("cut", {"key": second_key["KALSHI_KEY_ID"]}))
        lines += lines_until(process, "Uncertain: order q-1")
        assert any("reports may be missing; open orders are uncertain" in line for line in lines)
        lines += lines_until(process, "all outcomes are known")
        run(environ, "cancel", "q-1", "buy", MARKET, "--id", "q-1-end")
        lines += lines_until(process, "q-1-end canceled, 0 left")
        process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=30)
        assert (process.returncode, text) == (130, b"")
    assert "\x1b" not in "".join(lines)


class DisconnectableClient:
    """A client whose connection is lost before its events report the loss."""

    def __init__(self) -> None:
        self.is_connected = False
        self.sent: list[Message] = []

    def send(self, message: Message) -> int:
        if not self.is_connected:
            raise NotConnectedError("the connection is lost")
        self.sent.append(message)
        return len(self.sent)


def logged_on() -> LoggedOn:
    return LoggedOn(Logon(heart_bt_int=30), 30, True, {"use_dollars": True})


def test_book_requests_that_fail_are_repeated_after_the_next_logon() -> None:
    client: Any = DisconnectableClient()
    books = Books(client, ["A", "B"])
    assert not books.is_complete
    client.is_connected = True
    books.apply(logged_on())
    [request] = client.sent
    assert [each.symbol for each in request.related_sym] == ["A", "B"]
    books.apply(logged_on())
    assert len(client.sent) == 1


def test_report_requests_that_fail_are_repeated_after_the_next_logon() -> None:
    client: Any = DisconnectableClient()
    orders = OpenOrders(client, "prediction", {})
    orders.apply(logged_on())
    assert orders.tick() == []
    assert not orders.has_all_reports
    client.is_connected = True
    orders.tick()
    [request] = client.sent
    assert request.begin_exec_id == "0;0"
    orders.tick()
    assert len(client.sent) == 1
