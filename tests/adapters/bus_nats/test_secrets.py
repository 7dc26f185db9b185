"""No key material, signature or password appears anywhere on the bus."""

from __future__ import annotations

import asyncio
import zlib
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from nats.aio.msg import Msg

from kalshi_fix_adapters.asyncio import order_entry
from kalshi_fix_adapters.bus_nats import Sent
from kalshi_fix_sansio import Logon, Reject
from kalshi_fix_sansio.dialect.layout import FieldMember
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_sansio.signing import Signer
from kalshi_fix_venue.testing import Venue
from tests.adapters.bus.stream import REPORTS, logged_on
from tests.adapters.bus_nats.support import connected
from tests.adapters.bus_nats.test_commands import NAME, valid_order
from tests.adapters.bus_nats.test_events import publish
from tests.nats import NatsServer

SECRET_TAGS = [
    member.field.tag
    for member in Logon.LAYOUT.members
    if isinstance(member, FieldMember) and member.field.secret
]


def texts(message: Msg) -> list[bytes]:
    """Return the parts of a message that could contain a secret."""
    headers = repr(message.headers).encode()
    found = [message.subject.encode(), message.reply.encode(), headers, message.data]
    # The data of a snapshot is compressed; each of its parts begins with the snapshot's id.
    with suppress(zlib.error):
        found.append(zlib.decompress(message.data[8:]))
    return found


async def test_no_secret_is_in_a_subject_payload_header_or_value(
    server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signatures: list[bytes] = []
    sign = Signer.__call__

    def record(self: Signer, payload: bytes) -> bytes:
        signatures.append(sign(self, payload))
        return signatures[-1]

    monkeypatch.setattr(Signer, "__call__", record)
    seen: list[Msg] = []

    with Venue() as venue:
        key: Any = venue.options()["private_key"]
        options: Any = {**venue.options(), "store": tmp_path, "account": "desk", "explicit_confirm": True}
        async with connected(server) as bus, connected(server) as spy:
            has_snapshot = asyncio.Event()

            async def see(message: Msg) -> None:
                seen.append(message)
                if b'"place"' in message.data:
                    has_snapshot.set()

            await spy._link.client.subscribe(">", cb=see)
            await spy._link.client.flush()
            async with order_entry(**options) as client, asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(bus.publish(client)),
                    tasks.create_task(bus.serve(client)),
                    tasks.create_task(bus.keep_snapshots(NAME, every=0.01)),
                ]
                while not isinstance(await bus.session(NAME).send(valid_order("order-1")), Sent):
                    pass
                await has_snapshot.wait()
                for task in running:
                    task.cancel()
            # The event of a Reject contains the message that was rejected.
            logon = Logon(encrypt_method=0, heart_bt_int=30, raw_data=b"signature", password="pass-word")
            await publish(bus, REPORTS, logged_on(), RejectReceived(Reject(ref_seq_num=1), 1, logon))
            await spy._link.client.flush()
    assert signatures
    pem = str(key, "ascii")
    lines = [line.encode() for line in pem.splitlines() if len(line) > 40 and "KEY" not in line]
    assert lines
    raw = [*signatures, b"signature", b"pass-word"]
    secrets = [*lines, *raw, *map(b64encode, raw), *(item.hex().encode() for item in raw), b"PRIVATE KEY"]
    tags = [f"{before}{tag}=".encode() for tag in SECRET_TAGS for before in ("\x01", "\\u0001", "\\x01")]
    everything = b"\n".join(text for message in seen for text in texts(message))
    # All kinds of messages were seen: orders, reports, events, fences and snapshots.
    for shown in (b"order-1", b"LoggedOn", b"RejectReceived", b"$KV.KALSHI", b'"state"', b"kalshi-commands"):
        assert shown in everything
    assert [secret for secret in [*secrets, *tags] if secret in everything] == []
