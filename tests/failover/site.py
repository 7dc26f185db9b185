"""Three hosts, the network from each to the venue and to the database, and the final comparison."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs

from tests.example_programs import Script, run_script
from tests.kill.journal import read
from tests.kill.knowledge import Knowledge
from tests.kill.reconcile import Wire, check_requests, content_of
from tests.kill.venue import TradingVenue
from tests.postgres import PostgresRelay, Server, execute_at
from tests.relay import Relay

HEART_BT_INT = 8
"""HeartBtInt of the sessions. The venue drops a silent connection after about twice this interval."""
LEASE = 3.6
"""Duration of the lease in seconds. A commit may take this long: disks of busy machines sometimes take more
than a second."""
ROOT = Path(__file__).resolve().parents[2]


@attrs.define(eq=False)
class Site:
    """The venue, the database, and the networks between them and each host."""

    folder: Path
    venue: TradingVenue
    server: Server
    """The database server; a replica that is promoted replaces it."""
    database: str
    replica: Server | None = None
    to_venue: dict[str, Relay] = attrs.field(factory=dict)
    to_database: dict[str, PostgresRelay] = attrs.field(factory=dict)

    @contextmanager
    def run_host(self, name: str, **environ: str) -> Iterator[Script]:
        """Run the program on a host."""
        values = {**os.environ, "PYTHONPATH": os.pathsep.join(_paths()), **environ}
        with run_script(values, "-m", "tests.failover.host", self.folder / "settings", name) as script:
            yield script

    def query(self, statement: str) -> list[Any]:
        return execute_at(self.server.dsn(self.database), statement)

    def fence(self) -> object:
        """Return the rows with the store's fence, which every takeover increments."""
        return self.query("SELECT fence FROM kalshi_fix.session")

    def wait_for_orders(self, process: Script, more: int = 20) -> None:
        """Wait until the venue has received some more orders."""
        expected = len(self.venue.record.received) + more
        while len(self.venue.record.received) < expected:
            assert process.process.poll() is None
            self.venue.position()  # waits for the venue's thread

    def check(self) -> int:
        """Check that the venue received no number and no ClOrdID twice, that each order was reported or
        listed as uncertain, and that the database contains every message that the venue received. Return the
        number of orders that the venue received.
        """
        known, record = Knowledge(), self.venue.record
        for journal in self.folder.glob("journal-*"):
            known.read(read(journal))
        wire = Wire(client for client, _ in record.wires)
        stored = {
            request_id for (request_id,) in self.query("SELECT request_id FROM kalshi_fix.sent_request")
        }
        # A process that ended after writing an order to its journal, but before storing it, has not sent it.
        known.never_sent |= known.unresolved - stored
        check_requests(known, self.venue, wire)
        assert not known.never_sent & stored
        frames = dict(self.query("SELECT seq_num, frame FROM kalshi_fix.sent"))
        assert {number: content_of(frames[number]) for number in wire.originals} == wire.originals
        [(next_outgoing,)] = self.query("SELECT next_outgoing FROM kalshi_fix.session")
        assert wire.last < next_outgoing
        return len(record.received)


def _paths() -> list[str]:
    return [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]


@contextmanager
def run_site(folder: Path, server: Server, replica: Server | None = None) -> Iterator[Site]:
    """Run the venue and the networks."""
    database = server.create_database()
    with TradingVenue(Random(1)) as venue, ExitStack() as relays:
        site = Site(folder, venue, server, database, replica)
        for name in "abc":
            site.to_venue[name] = relays.enter_context(Relay(venue.port))
            site.to_database[name] = relays.enter_context(PostgresRelay(server))
        options = (
            "failover=none" if replica is None else "failover=synchronous&target_session_attrs=read-write"
        )
        replica_host = "" if replica is None else f",{replica.folder}"
        settings = {
            "stores": {
                name: f"{relay.dsn(database)}{replica_host}&lease={LEASE}&{options}"
                for name, relay in site.to_database.items()
            },
            "ports": {name: relay.port for name, relay in site.to_venue.items()},
            "ca": venue.ca,
            "key_id": venue.key.key_id,
            "private_key": venue.key.private_key_pem.decode(),
            "heart_bt_int": HEART_BT_INT,
        }
        (folder / "settings").write_text(json.dumps(settings))
        yield site
