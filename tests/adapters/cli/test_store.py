"""`kalshi-fix store`: a look into a store's file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_adapters.store_sqlite import SqliteStore, store_path
from kalshi_fix_sansio.outcomes import OpenRequest
from kalshi_fix_sansio.session import StoredMessage
from tests.adapters.store_sqlite.stores import OWNER
from tests.helpers import KEY_ID, START

SECRET = b"96=not-to-be-shown"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return store_path(tmp_path, OWNER)


def fill(store: SqliteStore) -> None:
    for number in (1, 2, 3):
        store.record_sent(number, None if number == 1 else StoredMessage(number, START, SECRET))
    store.advance_incoming(9)
    store.record_request(OpenRequest("my-\x1b[1mfirst", "D", 2, START, SECRET, 1))
    store.record_request(OpenRequest("my-second", "ZZ", 3, START, SECRET, 2, uncertain=True))
    store.commit()


def look(path: Path, *options: str) -> Result:
    result = CliRunner().invoke(commands, ["store", *options, str(path)])
    assert SECRET.decode() not in result.output
    return result


def test_a_new_store(path: Path) -> None:
    SqliteStore(path, owner=OWNER).close()
    result = look(path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"KalshiRT as {KEY_ID} (demo, prediction)",
        "  next number to send         1",
        "  next number from the peer   1",
        "  reset                       none is open",
        "  kept for resend             no message",
        "  open requests               none",
    ]


def test_a_store_in_use_by_another_process(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        fill(store)
        store.record_sent(4, None)  # not committed, so not seen
        command = [sys.executable, "-m", "kalshi_fix_adapters.cli", "store", str(path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")
        store.record_sent(5, None)
        store.commit()
    assert SECRET.decode() not in result.stdout
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    assert lines[1:7] == [
        "  next number to send         4",
        "  next number from the peer   9",
        "  reset                       none is open",
        "  kept for resend             2 messages, 2 (2026-08-21 14:03:07) to 3 (2026-08-21 14:03:07)",
        "  open requests               2",
        "Open requests (sent, outcome not known), oldest first",
    ]
    assert "| my-\\x1b[1mfirst | NewOrderSingle (D) | 2 | 2026-08-21 14:03:07 | waited for |" in " ".join(
        result.stdout.split()
    )
    assert "| my-second | ZZ | 3 | 2026-08-21 14:03:07 | none to come |" in " ".join(result.stdout.split())


def test_as_json(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        assert json.loads(look(path, "--json").stdout)["newest"] is None
        fill(store)
        found = json.loads(look(path, "--json").stdout)
    assert found == {
        "owner": {
            "environment": "demo",
            "product": "prediction",
            "sender_comp_id": KEY_ID,
            "target_comp_id": "KalshiRT",
        },
        "next_outgoing": 4,
        "next_incoming": 9,
        "reset_unanswered": False,
        "oldest_kept": 1,
        "kept": 2,
        "oldest": {"seq_num": 2, "sent_at": "2026-08-21T14:03:07.123000+00:00"},
        "newest": {"seq_num": 3, "sent_at": "2026-08-21T14:03:07.123000+00:00"},
        "open_requests": [
            {
                "request_id": "my-\x1b[1mfirst",
                "msg_type": "D",
                "seq_num": 2,
                "uncertain": False,
                "sent_at": "2026-08-21T14:03:07.123000+00:00",
            },
            {
                "request_id": "my-second",
                "msg_type": "ZZ",
                "seq_num": 3,
                "uncertain": True,
                "sent_at": "2026-08-21T14:03:07.123000+00:00",
            },
        ],
    }


def test_a_reset_that_is_not_answered_and_one_message(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        store.reset(unanswered=True)
        store.record_sent(1, StoredMessage(1, START, SECRET))
    said = look(path).stdout
    assert "not answered: the next logon resets again" in said
    assert "1 message, 1 (" in said


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_is_no_store(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = tmp_path / "notes"
    result = look(path, *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"kalshi-fix: there is no file {path}\n"
    path.write_bytes(SECRET * 100)
    result = look(path, *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"kalshi-fix: {path} is not a store")
