"""`kalshi-fix store`: shows the contents of a store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from click.testing import Result

from kalshi_fix_adapters.store_sqlite import SqliteStore, store_path
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session import StoredMessage
from tests.adapters.cli.runner import invoke
from tests.adapters.store_sqlite.stores import OWNER, execute
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


def show_store(location: Path | str, *options: object, status: int = 0) -> Result:
    result = invoke("store", *options, location, status=status)
    assert SECRET.decode() not in result.output
    return result


def test_a_new_store_is_shown(path: Path) -> None:
    SqliteStore(path, owner=OWNER).close()
    result = show_store(path)
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"KalshiRT as {KEY_ID} (demo, prediction)",
        "  next number to send         1",
        "  next number from the peer   1",
        "  reset                       none pending",
        "  kept for resend             no message",
        "  open requests               none",
        "  user rows                   none",
    ]


def test_stores_at_a_url_are_shown(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        store.reset()
        generation = store.generation
    result = show_store(f"sqlite://{path.parent}", "--json")
    assert json.loads(result.stdout)[path.name]["generation"] == generation
    result = show_store("other://user:secret@host", status=1)
    assert "no store for URLs that begin with other://" in result.stderr
    assert "secret" not in result.stderr


def test_a_store_in_use_by_another_process_is_shown_as_last_committed(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        fill(store)
        store.record_sent(4, None)  # is not committed and therefore not shown
        command = [sys.executable, "-m", "kalshi_fix_adapters.cli", "store", str(path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")
        store.record_sent(5, None)
        store.commit()
    assert SECRET.decode() not in result.stdout
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    assert lines[1:8] == [
        "  next number to send         4",
        "  next number from the peer   9",
        "  reset                       none pending",
        "  kept for resend             2 messages, 2 (2026-08-21 14:03:07) to 3 (2026-08-21 14:03:07)",
        "  open requests               2",
        "  user rows                   none",
        "Open requests (outcome unknown), oldest first",
    ]
    assert "| my-\\x1b[1mfirst | NewOrderSingle (D) | 2 | 2026-08-21 14:03:07 | pending |" in " ".join(
        result.stdout.split()
    )
    assert "| my-second | ZZ | 3 | 2026-08-21 14:03:07 | unknown |" in " ".join(result.stdout.split())


def test_a_store_is_shown_as_json(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        assert json.loads(show_store(path, "--json").stdout)["newest"] is None
        fill(store)
        found = json.loads(show_store(path, "--json").stdout)
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
        "generation": store.generation,
        "oldest_kept": 1,
        "kept": 2,
        "oldest": {"seq_num": 2, "sent_at": "2026-08-21T14:03:07.123000+00:00"},
        "newest": {"seq_num": 3, "sent_at": "2026-08-21T14:03:07.123000+00:00"},
        "rows": 0,
        "row_bytes": 0,
        "last_rows": {},
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


def test_an_unanswered_reset_and_one_message_are_shown(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        store.reset(unanswered=True)
        store.record_sent(1, StoredMessage(1, START, SECRET))
    text = show_store(path).stdout
    assert "unanswered: the next logon resets again" in text
    assert "1 message, 1 (" in text


# --- folders, and another key


def test_a_folder_without_stores_is_an_error(tmp_path: Path) -> None:
    for arguments in ((), ("--json",)):
        result = show_store(tmp_path, *arguments, status=1)
        assert result.stdout == ""
        assert result.stderr.startswith(f"kalshi-fix: {tmp_path} contains no store")


@pytest.mark.parametrize("count", [1, 3])
def test_each_store_in_a_folder_is_shown(count: int, tmp_path: Path) -> None:
    owners = [attrs.evolve(OWNER, sender_comp_id=f"key-{number}") for number in range(count)]
    for owner in owners:
        SqliteStore(store_path(tmp_path, owner), owner=owner).close()
    shown, as_json = show_store(tmp_path), show_store(tmp_path, "--json")
    found = json.loads(as_json.stdout)
    for owner in owners:
        name = store_path(tmp_path, owner).name
        assert f"{name}\n{owner}\n  next number to send         1\n" in shown.stdout
        assert found[name] == json.loads(show_store(tmp_path / name, "--json").stdout)
    assert len(found) == count
    (tmp_path / "notes.sqlite3").write_bytes(b"no store")
    result = show_store(tmp_path, status=1)
    assert result.stdout == shown.stdout
    assert "notes.sqlite3 is " in result.stderr


def test_a_store_is_migrated_to_another_key(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        fill(store)
        store.record_rows({"mine": "1"})
    result = invoke("store", "migrate", path, "--key-id", "new-key")
    new = attrs.evolve(OWNER, sender_comp_id="new-key")
    target = store_path(path.parent, new)
    assert result.stdout == f"{target} contains 1 user row and 2 open requests, and belongs to {new}\n"
    assert "next number to send         1\n" in show_store(target).stdout
    invoke("store", "migrate", target, "--account", "maker")
    for wrong, status in ((("--key-id", "a", "--account", "b"), 2), (("--key-id", "a"), 1)):
        assert invoke("store", "migrate", path, *wrong, status=status).stdout == ""


# --- user rows


ROWS = {
    "2026-08-21T14:03:07 fill": '{"price": "0.40", "frame": "8=FIXT.1.1|96=not-to-be-shown|10=000|"}',
    "2026-08-21T14:03:08 fill": '["0.41", {"RawData": "not-to-be-shown", "PASSWORD": ["not-to-be-shown"]}]',
    "2026-08-21T14:03:09 \x1b[1mkey": '{"pem": "-----BEGIN PRIVATE KEY----- not-to-be-shown"}',
    "api token": '"not-to-be-shown"',
    "not json": "8=FIXT.1.1\x01096=not-to-be-shown\x01",
    "orders": json.dumps({"n": list(range(500))}),
}


def test_user_rows_are_shown_without_secrets(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        store.record_rows(ROWS)
        store.commit()
        shown = show_store(path, "--rows", "10").stdout
        last = show_store(path).stdout
        none = show_store(path, "--rows", "0").stdout
        found = json.loads(show_store(path, "--json", "--rows", "99").stdout)
    for printed in (shown, last, json.dumps(found)):
        assert "not-to-be-shown" not in printed
        assert "\x1b" not in printed
    size = sum(len(key.encode()) + len(text) for key, text in ROWS.items())
    assert f"  user rows                   6 ({size:,} bytes)\n" in shown
    lines = shown[shown.index("User rows") :].splitlines()
    assert lines[0] == "User rows, last key first"
    assert lines[1].startswith('  orders  {"n": [0, 1, 2')
    assert lines[1].endswith("... (2,397 characters)")
    assert lines[2:] == [
        '  not json  "8=FIXT.1.1\\u0001096=<hidden>\\u0001"',
        '  api token  "<hidden>"',
        '  2026-08-21T14:03:09 \\x1b[1mkey  {"pem": "<hidden>"}',
        '  2026-08-21T14:03:08 fill  ["0.41", {"RawData": "<hidden>", "PASSWORD": "<hidden>"}]',
        '  2026-08-21T14:03:07 fill  {"price": "0.40", "frame": "8=FIXT.1.1|96=<hidden>|10=000|"}',
    ]
    assert last == shown[: shown.index("  2026-08-21T14:03:07 fill")]
    assert "User rows, last key first" not in none
    assert (found["rows"], found["row_bytes"]) == (6, size)
    assert found["last_rows"]["orders"] == {"n": list(range(500))}
    assert list(found["last_rows"]) == sorted(ROWS, reverse=True)


def test_a_damaged_row_is_reported(path: Path) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        store.record_rows({"mine": '"0.40"'})
        store.commit()
    execute(path, """UPDATE journal SET value = '"0.41"'""")
    assert "damaged" in show_store(path, status=1).stderr


def test_reading_a_large_store_shows_progress_on_a_terminal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteStore(path, owner=OWNER) as store:
        fill(store)
    monkeypatch.setattr("kalshi_fix_adapters.store_sqlite.summary._INSTRUCTIONS_PER_CALL", 1)
    monkeypatch.setattr("kalshi_fix_adapters.cli.kit.terminal.PROGRESS_SECONDS", 0.0)
    assert show_store(path).stderr == ""
    monkeypatch.setattr("kalshi_fix_adapters.cli.kit.terminal.columns_of", lambda _: 60)
    assert "reading and checking the store: 0 s" in show_store(path).stderr


def test_an_interrupt_while_a_store_is_read_ends_the_command(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    SqliteStore(path, owner=OWNER).close()
    monkeypatch.setattr("kalshi_fix_adapters.store_sqlite.summary._INSTRUCTIONS_PER_CALL", 1)
    monkeypatch.setattr("kalshi_fix_adapters.cli.store.StatusLine.is_due", interrupt)
    assert show_store(path, status=130).output == ""
