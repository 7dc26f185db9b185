"""`kalshi-fix watch` and `kalshi-fix orders` with `--once`, against a simulated venue."""

from __future__ import annotations

from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.cli.runner import invoke

MARKET = "KXHIGHNY-26DEC31-B50"


def test_books_and_open_orders_are_shown_once(sandbox: Sandbox, environ: dict[str, str]) -> None:
    def run(*arguments: str) -> str:
        result = invoke(*arguments, environ=environ)
        assert all(len(line) <= 60 for line in result.stdout.splitlines())
        return result.stdout

    shown = run("watch", MARKET, "NOPE", "--once")
    assert "0.4300    0.4700" in shown
    assert "no orders, or no such market" in shown
    run("order", "buy", MARKET, "10", "0.40", "--id", "a1", "--yes")
    shown = run("orders", "--once")
    assert f"buy 10.00 {MARKET} at 0.4000" in shown
    assert "Older orders without recent activity" in shown
    shown = run("orders", "--once", "--since", "99999999999999;1")
    assert "0 open" in shown
    assert "does this ExecID belong to this account?" in " ".join(shown.split())
    sandbox.server.perform(operation("refuse-drop-copy", {"reason": "begin-too-small"}))
    refused = invoke("orders", "--once", environ=environ, status=1)
    assert "  BEGIN_TOO_SMALL; see kalshi-fix spec BEGIN_TOO_SMALL\n" in refused.stdout
    invoke("spec", "BEGIN_TOO_SMALL")
    assert "set --since to an ExecID" in refused.stdout
