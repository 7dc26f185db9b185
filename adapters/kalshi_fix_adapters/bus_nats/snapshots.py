"""Snapshots of a machine, kept in the key-value store so that consumers that start late can catch up.

A snapshot can exceed the maximum size of a value, so it is split into several values. Two slots are used
alternately. A further value, the head, names the slot with the last complete snapshot (as `place`), so a
reader never uses a snapshot that is being written.
"""

from __future__ import annotations

import json
from secrets import token_bytes
from typing import Any, Final

from nats.js.errors import KeyNotFoundError

from kalshi_fix_adapters.bus import Channel, Machine, Mark
from kalshi_fix_adapters.bus.marks import encode_snapshot, load_snapshot
from kalshi_fix_adapters.bus.names import escape
from kalshi_fix_adapters.bus_nats.link import LOGGER, Link

_ID_SIZE: Final = 8
_HEADER_ROOM: Final = 1024
"""Number of bytes of a message that are reserved for headers."""
_MAX_ATTEMPTS: Final = 5


def _key(channel: Channel, machine: Machine) -> str:
    return f"{channel}.snapshot.{escape(type(machine).__name__)}"


async def write_snapshot(link: Link, channel: Channel, machine: Machine, mark: Mark) -> None:
    """Write a snapshot with the state of a machine at a mark. It replaces the second-to-last snapshot."""
    store, key = await link.store(), _key(channel, machine)
    head = await _read_head(link, key)
    slot = 1 - head["place"] if head is not None else 0
    snapshot_id, data = token_bytes(_ID_SIZE), encode_snapshot(mark, machine)
    size = link.client.max_payload - _HEADER_ROOM - _ID_SIZE
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    for index, part in enumerate(parts):
        await store.put(f"{key}.{slot}.{index}", snapshot_id + part)
    new_head = {"place": slot, "parts": len(parts), "id": snapshot_id.hex(), "sequence": mark.sequence}
    await store.put(key, json.dumps(new_head).encode())


async def read_snapshot(link: Link, channel: Channel, machine: Machine) -> Mark | None:
    """Load the last snapshot into a machine; return the mark, or None if there is no usable snapshot."""
    store, key = await link.store(), _key(channel, machine)
    for _ in range(_MAX_ATTEMPTS):
        head = await _read_head(link, key)
        if head is None:
            return None
        snapshot_id = bytes.fromhex(head["id"])
        try:
            parts = [
                (await store.get(f"{key}.{head['place']}.{index}")).value or b""
                for index in range(head["parts"])
            ]
        except KeyNotFoundError:
            continue
        if all(part.startswith(snapshot_id) for part in parts):
            try:
                return load_snapshot(b"".join(part[_ID_SIZE:] for part in parts), machine)
            except ValueError as error:
                LOGGER.warning("the snapshot %s is not used: %s", key, error)
                return None
    LOGGER.warning("the snapshot %s is not used: it was replaced during each attempt to read it", key)
    return None


async def _read_head(link: Link, key: str) -> dict[str, Any] | None:
    try:
        head = json.loads((await (await link.store()).get(key)).value or b"null")
    except (KeyNotFoundError, ValueError):
        return None
    match head:
        case {"place": 0 | 1, "parts": int(), "id": str()}:
            return dict(head)
    return None
