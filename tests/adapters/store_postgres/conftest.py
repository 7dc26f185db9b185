"""A real Postgres server, of the distribution's packages, for each module of tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = [
    found
    for found in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if (found / "initdb").exists()
]


def execute_at(dsn: str, statement: str) -> list[Any]:
    """Run a statement as another program would; return its rows."""
    psycopg = pytest.importorskip("psycopg", reason="stores in Postgres need psycopg")
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


class Server:
    """A server with a socket in a folder of its own; Postgres refuses to run as root."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        if os.getuid() == 0:
            shutil.chown(self.folder, "nobody")
        data = str(self.folder / "data")
        try:
            self.run(
                "initdb", "-D", data, "-A", "trust", "-U", "store", "--no-sync", "-E", "UTF8", "--locale=C"
            )
            options = f"-k {self.folder} -c listen_addresses= -c max_connections=30"
            self.run("pg_ctl", "-D", data, "-o", options, "-l", str(self.folder / "log"), "-w", "start")
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        self._count = 0

    def run(self, program: str, *arguments: str) -> None:
        command = [str(PROGRAMS[-1] / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "nobody", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://store@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """Run a statement as another program would; return its rows."""
        return execute_at(self.dsn(database), statement)

    def new(self) -> str:
        """Return the DSN of a new database."""
        self._count += 1
        self.execute(f"CREATE DATABASE test{self._count}")
        return self.dsn(f"test{self._count}")

    def configure(self, setting: str, value: str) -> None:
        """Change a setting, and wait until new connections have it."""
        self.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
        self.execute("SELECT pg_reload_conf()")
        while self.execute(f"SHOW {setting}") != [(value,)]:
            pass

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if not PROGRAMS:
        pytest.skip("no Postgres server is installed (package postgresql)")
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def dsn(server: Server) -> str:
    """The DSN of an empty database."""
    return server.new()


@pytest.fixture
def execute(dsn: str) -> Callable[[str], list[Any]]:
    """Runs a statement in this test's database, as another program would."""

    def run(statement: str) -> list[Any]:
        return execute_at(dsn, statement)

    return run
