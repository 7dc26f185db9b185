"""A web server on this machine with chosen answers."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import attrs


@attrs.define
class Answer:
    body: bytes
    status: int = 200
    headers: dict[str, str] = attrs.field(factory=dict)
    length: int | None = None


class Site:
    """A server on this machine, and its answers by path."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                answer = site.answers.get(self.path, Answer(b"no", 404))
                self.send_response(answer.status)
                headers = {"Content-Type": "text/markdown; charset=utf-8", **answer.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                length = len(answer.body) if answer.length is None else answer.length
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()

    def put(self, path: str, text: str, **headers: str) -> None:
        self.answers[path] = Answer(
            text.encode(), headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
