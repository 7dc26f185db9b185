"""Helpers shared by the tests of the programs in examples/moving."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kalshi_fix_venue.testing import MARKETS, Venue
from tests.adapters.cli.pipes import PipedProcess, lines_until, started

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "moving"
SYMBOL = MARKETS["prediction"][0].rules.ticker
SESSIONS = {"KalshiRT": "orders", "KalshiPT": "settlements"}


def environ_of(venue: Venue, folder: Path, *sessions: str) -> dict[str, str]:
    """Return the environment variables with the venue's addresses and the key of the first session."""
    ca = folder / "ca.pem"
    ca.write_text(str(venue.ca_pem))
    ports = {name: venue.server.port("prediction", name) for name in sessions}
    options: Any = venue.options(session=sessions[0])
    return {
        "KALSHI_KEY_ID": options["key_id"],
        "KALSHI_PRIVATE_KEY": options["private_key"].decode(),
        "KALSHI_FIX_ENDPOINTS": ",".join(
            f"{name}={venue.server.host}:{port}" for name, port in ports.items()
        ),
        "KALSHI_FIX_CA_FILE": str(ca),
    }


def write_keys(venue: Venue, folder: Path) -> dict[str, str]:
    """Write the private key of each session of the gateway to a file, and return the key ids by session."""
    ids = {}
    for session, name in SESSIONS.items():
        options: Any = venue.options(session=session)
        (folder / f"{name}.pem").touch(0o600, exist_ok=True)
        (folder / f"{name}.pem").write_bytes(options["private_key"])
        ids[session] = options["key_id"]
    return ids


def write_settings(name: str, folder: Path, changes: Mapping[str, str]) -> Path:
    """Copy a settings file into a folder with these texts replaced; each of them must occur."""
    text = (EXAMPLES / name).read_text("utf-8")
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def ported_gateway(venue: Venue, folder: Path) -> Iterator[PipedProcess]:
    """Run quickfix_after.py in a folder that contains the FileStore of quickfix_before.py as `filestore`."""
    ids = write_keys(venue, folder)
    example_key_ids = ("0e4f1c52-7d0b-4b6e-9d55-1f6a0c1d2e3f", "9d3c6b0c-5d1a-4f5e-8a43-6f0e2b7c9d10")
    names = ("stores", "filestore", "orders.pem", "orders.log", "settlements.pem", "settlements.log")
    changes = {f'"{name}"': f'"{(folder / name).as_posix()}"' for name in names}
    changes |= dict(zip(example_key_ids, ids.values(), strict=True))
    path = write_settings("quickfix_after.toml", folder, changes)
    environ = environ_of(venue, folder, *SESSIONS)
    program = ("-Werror", str(EXAMPLES / "quickfix_after.py"))
    with started(str(path), program=program, environ=environ) as process:
        yield process


def wait_until_logged_on(process: PipedProcess) -> list[str]:
    """Read the output of a gateway until both sessions are logged on."""
    lines = lines_until(process, "logged on")
    return lines + lines_until(process, "logged on")


def reports_of(process: PipedProcess, lines: list[str], count: int) -> list[list[str]]:
    """Return at least `count` reports: those in these lines, then those in the lines that follow."""
    found = [line.split()[1:] for line in lines if line.startswith("report")]
    while len(found) < count:
        found.append(lines_until(process, "report")[-1].split()[1:])
    return found


def finish(process: PipedProcess) -> list[str]:
    """End the input of a gateway and return its remaining output."""
    process.stdin.close()
    rest = process.stdout.read().decode().splitlines()
    assert process.wait() == 0, process.stderr.read().decode()
    return rest


def write_order(process: PipedProcess, cl_ord_id: str, price: str = "0.40") -> None:
    """Write an order to buy ten contracts to the gateway's input."""
    process.stdin.write(f"{cl_ord_id} {SYMBOL} 1 10 {price}{os.linesep}".encode())
    process.stdin.flush()
