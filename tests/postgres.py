"""Real Postgres servers and PgBouncer from the distribution's packages, each in a temporary folder.

Tests that use them are skipped unless both these packages (`make postgres` installs them) and psycopg are
installed; `POSTGRES_REQUIRED=1` turns a skip into a failure."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.programs import skip_unless_required

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

    def begin(self, program: str | Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a program."""
        command = [str(program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "nobody", "--", *command]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self.folder)

    def run(self, program: str | Path, *arguments: str) -> None:
        """Run a program, which must succeed."""
        with self.begin(program, *arguments) as process:
            assert process.wait() == 0

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

    def new(self) -> str:
        """Return the name of a new database."""
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
    """A synchronous replica of a server; from now on the server's commits wait for it."""

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
        self._process = self.begin(str(_POOLER), "--quiet", str(self.folder / "pgbouncer.ini"))
        while not (self.folder / f".s.PGSQL.{PORT}").exists():
            assert self._process.poll() is None

    def stop(self) -> None:
        os.kill(int((self.folder / "pid").read_text()), signal.SIGTERM)
        self._process.wait()
        super().stop()


class Relay(_Folder):
    """The network between a program and a server or a port on this machine. It forwards bytes, can pause, and
    can lose an answer."""

    def __init__(self, target: Server | int) -> None:
        super().__init__()
        self.lost_answer: bytes | None = None
        """The next request that contains this text gets no answer: its connection ends instead."""
        self.gate = threading.Event()
        """Bytes and ends of connections wait here while this event is clear."""
        self.gate.set()
        self._target = target
        if isinstance(target, int):
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port: int = self._listener.getsockname()[1]
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self.folder / f".s.PGSQL.{PORT}"))
            self._listener.listen()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def stop(self) -> None:
        self.gate.set()
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()
        super().stop()

    def _start(self, run: Callable[..., object], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=run, args=arguments))
        self._threads[-1].start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self._target.folder / f".s.PGSQL.{PORT}"))
        except OSError:
            server.close()
            raise
        return server

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                program, _ = self._listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    program.close()
                    continue
                self._ends += [program, server]
                lose_answer = threading.Event()
                self._start(self._forward, program, server, lose_answer, False)
                self._start(self._forward, server, program, lose_answer, True)

    def _forward(
        self, source: socket.socket, sink: socket.socket, lose_answer: threading.Event, is_answer: bool
    ) -> None:
        with contextlib.suppress(OSError):
            data = b"-"
            while data:
                data = source.recv(65536)
                self.gate.wait()
                if is_answer and lose_answer.is_set():
                    break
                if not is_answer and self.lost_answer is not None and self.lost_answer in data:
                    self.lost_answer = None
                    lose_answer.set()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
