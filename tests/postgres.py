"""Real Postgres servers and PgBouncer from the distribution's packages, each in a temporary folder.

Tests that use them are skipped unless both these packages (`make postgres` installs them) and psycopg are
installed; `POSTGRES_REQUIRED=1` turns a skip into a failure."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from tests.programs import skip_unless_required
from tests.relay import Relay

PORT = 5432
"""Part of the name of the socket; there is no TCP port."""
_PROGRAMS = [
    found
    for found in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if (found / "initdb").exists()
]
_POOLER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


def execute_at(dsn: str, statement: str) -> list[Any]:
    """Run a statement as another program would; return its rows."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


class _Folder:
    """A folder that belongs to an unprivileged user, because Postgres and PgBouncer refuse to run as root."""

    def __init__(self, parent: Path = Path("/tmp")) -> None:
        # The path of a socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=parent))
        if os.getuid() == 0:
            shutil.chown(self.folder, "nobody")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the processes that use the folder, and remove it."""
        shutil.rmtree(self.folder)

    def start_program(self, program: str | Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a program as the user that owns the folder."""
        command = [str(program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "nobody", "--", *command]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self.folder)

    def run(self, program: str | Path, *arguments: str) -> None:
        """Run a program, which must succeed."""
        with self.start_program(program, *arguments) as process:
            assert process.wait() == 0

    @property
    def socket_path(self) -> Path:
        return self.folder / f".s.PGSQL.{PORT}"

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://store@/{database}?host={self.folder}"


class Server(_Folder):
    """A Postgres server."""

    def __init__(self, parent: Path = Path("/tmp")) -> None:
        if importlib.util.find_spec("psycopg") is None:
            skip_unless_required("POSTGRES", "stores in Postgres need psycopg (extra postgres)")
        if not _PROGRAMS:
            skip_unless_required("POSTGRES", "no Postgres server is installed; make postgres installs it")
        super().__init__(parent)
        self._data = str(self.folder / "data")
        self._count = 0
        try:
            self._create()
            self.start()
        except BaseException:
            super().stop()
            raise

    def _create(self) -> None:
        options = ("-A", "trust", "-U", "store", "--no-sync", "-E", "UTF8", "--locale=C")
        self.run(_PROGRAMS[-1] / "initdb", "-D", self._data, *options)

    def start(self) -> None:
        """Start the server, for the first time or after it was killed."""
        options = f"-k {self.folder} -c listen_addresses= -c max_connections=30"
        self.control("-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def control(self, *arguments: str) -> None:
        """Run pg_ctl."""
        self.run(_PROGRAMS[-1] / "pg_ctl", "-D", self._data, *arguments)

    def connect(self) -> socket.socket:
        """Return a new connection to the server."""
        found = socket.socket(socket.AF_UNIX)
        try:
            found.connect(str(self.socket_path))
        except OSError:
            found.close()
            raise
        return found

    def crash(self) -> None:
        """End the server without a checkpoint."""
        self.control("-m", "immediate", "-w", "stop")

    @property
    def is_running(self) -> bool:
        return Path(self._data, "postmaster.pid").exists()

    def stop(self) -> None:
        if self.is_running:
            self.crash()
        super().stop()

    def create_database(self) -> str:
        """Create a database; return its name."""
        self._count += 1
        execute_at(self.dsn(), f"CREATE DATABASE test{self._count}")
        return f"test{self._count}"

    def configure(self, setting: str, value: str) -> None:
        """Change a setting, and wait until new connections have it."""
        execute_at(self.dsn(), f"ALTER SYSTEM SET {setting} = '{value}'")
        execute_at(self.dsn(), "SELECT pg_reload_conf()")
        while execute_at(self.dsn(), f"SHOW {setting}") != [(value,)]:
            pass


class Replica(Server):
    """A synchronous replica of a server. Once it has been created, the server's commits wait for it."""

    def __init__(self, primary: Server) -> None:
        self._primary = primary
        super().__init__()

    def _create(self) -> None:
        # Set this first, so the replica inherits the setting, which it needs once it is promoted.
        self._primary.configure("synchronous_standby_names", "*")
        source = ("-h", str(self._primary.folder), "-U", "store", "--checkpoint=fast", "--no-sync")
        self.run(_PROGRAMS[-1] / "pg_basebackup", "-D", self._data, "--write-recovery-conf", *source)

    def signal(self, number: int) -> None:
        """Send a signal to the process that receives the primary's writes."""
        [(receiver,)] = execute_at(self.dsn(), "SELECT pid FROM pg_stat_wal_receiver")
        os.kill(receiver, number)


class Pooler(_Folder):
    """PgBouncer in front of a server; each transaction uses a different connection to the server."""

    def __init__(self, server: Server) -> None:
        if _POOLER is None:
            skip_unless_required("POSTGRES", "PgBouncer is not installed; make postgres installs it")
        super().__init__()
        (self.folder / "pgbouncer.ini").write_text(f"""
            [databases]
            * = host={server.folder} port={PORT} user=store
            [pgbouncer]
            unix_socket_dir = {self.folder}
            listen_port = {PORT}
            auth_type = any
            pool_mode = transaction
            min_pool_size = 3
            default_pool_size = 3
            server_round_robin = 1
            pidfile = {self.folder}/pid
            logfile = {self.folder}/log
        """)
        self._process = self.start_program(str(_POOLER), "--quiet", str(self.folder / "pgbouncer.ini"))
        while not self.socket_path.exists():
            assert self._process.poll() is None

    def stop(self) -> None:
        os.kill(int((self.folder / "pid").read_text()), signal.SIGTERM)
        self._process.wait()
        super().stop()


class PostgresRelay(Relay):
    """The network between programs and a server. It can also lose an answer."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.connect)
        self.unanswered_request: bytes | None = None
        """The next request that contains this text gets no answer: its connection ends instead."""
        self._unanswered: set[int] = set()
        self._folder = _Folder()
        self.dsn = self._folder.dsn

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self._folder.stop()

    def _create_listener(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._folder.socket_path))
        listener.listen()
        return listener

    def _passes(self, number: int, side: str, data: bytes) -> bool:
        if side == "server":
            return number not in self._unanswered
        if self.unanswered_request is not None and self.unanswered_request in data:
            self.unanswered_request = None
            self._unanswered.add(number)
        return True
