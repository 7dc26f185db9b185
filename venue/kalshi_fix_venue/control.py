"""The control channel of a running venue: operations by name from another process of the same user.

The venue listens on a port of the loopback interface and writes the port, with a token, to a file that only
its owner may read. A client sends one line of JSON, `{"token": ..., "do": ..., "with": ...}`. The venue
replies with one line, `{"ok": true, "answer": ...}` or `{"ok": false, "error": ...}`.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import shlex
import socket
import socketserver
import stat
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from kalshi_fix_sansio.errors import ConfigurationError, KalshiFixError
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.operations.base import Answer, Operation

CONTROL_FILE = "control.json"
FOLDER_PREFIX = "kalshi-fix-venue-"
"""Prefix of the temporary folders of venues."""
FOLDER_VARIABLE = "KALSHI_FIX_VENUE_FOLDER"
"""Environment variable that selects a venue by its folder."""
LOOPBACK = "127.0.0.1"
MAX_LINE = 64 * 1024
"""Maximum size of a request, in bytes."""
POLL_INTERVAL = 0.1
"""Seconds between checks for a requested stop."""
PATIENCE = 10.0
"""Seconds that either side waits for the other."""
_NOT_AN_OBJECT = "a request must be a JSON object with the token from the control file"


class ControlError(KalshiFixError):
    """The control channel could not be used; the text states the remedy."""


class Performer(Protocol):
    """The object that performs operations: a `VenueServer`, or an owner of one."""

    def perform(self, operation: Operation) -> Answer:
        """Perform an operation. May be called from any thread."""
        ...


class ControlServer(socketserver.ThreadingTCPServer):
    """A context manager that accepts operations for a venue."""

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, performer: Performer, folder: Path) -> None:
        """Prepare a channel whose file is written to the folder."""
        super().__init__((LOOPBACK, 0), _Handler, bind_and_activate=False)
        self.performer = performer
        self.token: str = secrets.token_hex(32)
        self.path: Path = folder / CONTROL_FILE
        self._thread = threading.Thread(
            target=self.serve_forever, args=(POLL_INTERVAL,), name="venue control", daemon=True
        )

    def __enter__(self) -> Self:
        """Listen, and write the file.

        Raises:
            FileExistsError: the folder contains the file of another venue.
            OSError: the port or the file cannot be created.
        """
        try:
            self.server_bind()
            self.server_activate()
            contents = {
                "host": LOOPBACK,
                "port": self.server_address[1],
                "token": self.token,
                "pid": os.getpid(),
            }
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(contents, file)
        except BaseException:
            self.server_close()
            raise
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Stop listening, and remove the file."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        self.path.unlink(missing_ok=True)

    def answer(self, line: bytes, *, authorized: bool = False) -> dict[str, Any]:
        """Perform the operation of a request, and return the reply. The request must contain the token,
        unless `authorized` is set."""
        try:
            request = _parse_object(line)
            token: Any = request.get("token")
            name, values = request.get("do"), request.get("with", {})
            if not authorized and not isinstance(token, str):
                raise ConfigurationError(_NOT_AN_OBJECT)
            if not authorized and not self.is_token(token):
                raise ConfigurationError("the token of a request must be the one in the control file")
            if not isinstance(name, str) or not isinstance(values, dict):
                raise ConfigurationError(
                    'a request must contain an operation as "do" and its parameters as "with"'
                )
            return {"ok": True, "answer": self.performer.perform(operation(name, values))}
        except KalshiFixError as error:
            return {"ok": False, "error": str(error)}
        except RuntimeError:
            return {"ok": False, "error": "the venue has stopped"}

    def is_token(self, given: str) -> bool:
        """Return whether this is the token. The comparison takes constant time."""
        return hmac.compare_digest(given.encode(), self.token.encode())


def _parse_object(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise ConfigurationError("a request must be one line of JSON") from None
    if not isinstance(request, dict):
        raise ConfigurationError(_NOT_AN_OBJECT)
    return request


class _Handler(socketserver.StreamRequestHandler):
    """One request."""

    timeout = PATIENCE
    server: ControlServer

    def handle(self) -> None:
        # A client that disconnects or stays silent is not an error.
        with contextlib.suppress(OSError):
            line = self.rfile.readline(MAX_LINE + 1)
            if not line:
                return
            if len(line) > MAX_LINE:
                reply: dict[str, Any] = {
                    "ok": False,
                    "error": f"a request must have at most {MAX_LINE} bytes",
                }
            else:
                reply = self.server.answer(line)
            self.wfile.write(json.dumps(reply).encode() + b"\n")


def find_control_file(folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the control file of the selected venue.

    The venue is selected by the given folder, else by the folder in the variable `FOLDER_VARIABLE`. Without
    either, it is this user's only venue in a temporary folder.

    Raises:
        ControlError: there is no such venue, or more than one.
    """
    selected = folder or (Path(environ[FOLDER_VARIABLE]) if environ.get(FOLDER_VARIABLE) else None)
    if selected is not None:
        path = selected / CONTROL_FILE
        if selected.exists():
            check_private(selected)
        if not path.exists():
            raise ControlError(f"no venue is running in {selected}: there is no {CONTROL_FILE}")
        return path
    paths = [
        path
        for path in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*/{CONTROL_FILE}")
        if _is_private(path) and _is_listening(path)
    ]
    if not paths:
        raise ControlError(
            "no venue is running in a temporary folder; start one with `kalshi-fix venue`, or name its "
            f"folder with --folder or {FOLDER_VARIABLE}"
        )
    if len(paths) > 1:
        folders = ", ".join(sorted(str(path.parent) for path in paths))
        raise ControlError(f"{len(paths)} venues are running; choose one with --folder: {folders}")
    return paths[0]


def _is_private(path: Path) -> bool:
    """Return whether only this user can write to a file's folder. Another user may have created the folder,
    because the system's temporary folder is shared."""
    try:
        check_private(path.parent)
    except (ControlError, OSError):
        return False
    return True


def _is_listening(path: Path) -> bool:
    """Return whether a server listens on the port in a control file. A venue that was killed leaves its file
    behind."""
    try:
        address, _ = _read(path)
        socket.create_connection(address, PATIENCE).close()
    except (ControlError, OSError):
        return False
    return True


def _read(path: Path) -> tuple[tuple[str, int], str]:
    """Return the address and the token in a control file.

    Raises:
        ControlError: the file cannot be read, or is not a control file.
    """
    try:
        contents = json.loads(path.read_text())
        return (str(contents["host"]), int(contents["port"])), str(contents["token"])
    except OSError as error:
        raise ControlError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise ControlError(f"{path} is not a venue's control file") from None


def check_private(folder: Path) -> None:
    """Check that no other user can change the files in a folder, which are keys and a shell script.

    Raises:
        ControlError: another user can change them.
        OSError: the folder cannot be read.
    """
    status = folder.lstat()
    problem = ""
    if not stat.S_ISDIR(status.st_mode):
        problem = "is a link, or not a folder"
    elif hasattr(os, "getuid") and status.st_uid != os.getuid():
        problem = f"belongs to another user (id {status.st_uid})"
    elif os.name == "posix" and status.st_mode & 0o022:
        mode = stat.S_IMODE(status.st_mode)
        problem = f"can be written by other users (mode {mode:03o}; chmod 700 {shlex.quote(str(folder))})"
    if problem:
        raise ControlError(
            f"{folder} {problem}, so others could replace the keys and env.sh in it; choose another --folder"
        )


def send_operation(path: Path, command: Operation) -> Answer:
    """Run an operation on the venue that wrote a control file.

    Raises:
        ControlError: no venue answers there, or it refuses; the text states the reason.
    """
    address, token = _read(path)
    request = {"token": token, "do": command.NAME, "with": command.values()}
    try:
        with socket.create_connection(address, PATIENCE) as connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as file:
                line = file.readline()
    except OSError as error:
        raise ControlError(
            f"no venue answers on port {address[1]} ({error}); if it was killed, delete {path}"
        ) from None
    try:
        reply = json.loads(line)
        if reply["ok"]:
            answer: Answer = reply["answer"]
            return answer
        refusal = str(reply["error"])
    except (ValueError, KeyError, TypeError):
        raise ControlError(f"the server on port {address[1]} is not a venue") from None
    raise ControlError(refusal)
