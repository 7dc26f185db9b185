"""A venue with its web page."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from pathlib import Path
from typing import Any

import attrs
import pytest

from kalshi_fix_venue.control import ControlServer
from kalshi_fix_venue.testing import Sandbox
from kalshi_fix_venue.web import WebServer


@attrs.frozen
class Reply:
    """A complete response."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The JSON value of the body."""
        return json.loads(self.body)


@attrs.frozen
class Page:
    """The served page, and requests to it."""

    sandbox: Sandbox
    server: WebServer
    token: str

    def connect(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str | None
    ) -> http.client.HTTPConnection:
        """Send a request as the page does, with these headers changed; None omits a header."""
        usual = {"Host": f"127.0.0.1:{self.server.port}", "Authorization": f"Bearer {self.token}"}
        sent = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return connection

    def request(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str | None
    ) -> Reply:
        """Send a request; return the complete response."""
        with closing(self.connect(path, method=method, body=body, **headers)) as connection:
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def do(self, name: str, **values: object) -> dict[str, Any]:
        """Perform an operation."""
        body = json.dumps({"do": name, "with": values}).encode()
        answer: dict[str, Any] = self.request("/do", method="POST", body=body).json
        return answer

    def update(self, query: str = "") -> dict[str, Any]:
        """Return the first update of a page."""
        with (
            closing(self.connect(f"/updates?{query}")) as connection,
            connection.getresponse() as response,
        ):
            line = response.readline()
        update: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
        return update


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return the page of a venue with two owners."""
    folder: Path = tmp_path_factory.mktemp("page")
    with (
        Sandbox(("you", "them")) as sandbox,
        ControlServer(sandbox.server, folder) as channel,
        WebServer(sandbox.server, channel) as server,
    ):
        yield Page(sandbox, server, channel.token)
