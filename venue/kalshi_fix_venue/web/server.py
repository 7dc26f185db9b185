"""Serve the venue's web page on the loopback interface, from a separate thread.

The page and its script are public; everything else needs the token of the control channel in the header
Authorization. No cookie is set, so a browser adds no credentials to a request that another site triggers.
Requests with a foreign Host (DNS rebinding) or Origin (another site) are refused before the token is checked.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any, Final, Self, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kalshi_fix_venue.control import LOOPBACK, MAX_LINE, ControlServer
from kalshi_fix_venue.server import VenueServer
from kalshi_fix_venue.web.page_content import operations, page_content
from kalshi_fix_venue.web.traffic import SessionId, Traffic

MAX_VIEWERS: Final = 8
"""Maximum number of pages that are updated at the same time."""
MAX_REQUESTS: Final = 32
"""Maximum number of connections and requests at the same time."""
MIN_INTERVAL: Final = 0.25
"""Minimum number of seconds between two updates of a page."""
MAX_BUILD_SHARE: Final = 0.05
"""Maximum share of the time spent on building the content of pages. Content that takes longer to build is
updated less often.
"""
PATIENCE: Final = 10.0
"""Seconds after which a browser that does not read is dropped."""
SHUTDOWN_SECONDS: Final = 2
"""Seconds allowed for closing open pages when the server stops."""
_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
}
_POLICY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
T = TypeVar("T")


class WebServer:
    """A context manager that serves the page of a venue."""

    def __init__(
        self, venue: VenueServer, channel: ControlServer, port: int = 0, *, patience: float = PATIENCE
    ) -> None:
        """Prepare to serve on a port of the loopback interface; 0 picks a free one."""
        self._venue, self._channel, self._requested_port = venue, channel, port
        self._patience = patience
        self.port: int = port
        """The requested port or, once the server listens, the actual one."""
        self.viewers: int = 0
        """Number of pages that are being updated."""
        self._traffic = Traffic()
        self._builder = ThreadPoolExecutor(1, "venue page")
        self._operations = operations()
        self._public_files = {
            path: (files(__package__).joinpath("static", name).read_bytes(), media_type)
            for path, (name, media_type) in _FILES.items()
        }
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.stopping: asyncio.Event = asyncio.Event()
        """Set when open pages must be closed."""
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """The address of the page, with the token in its fragment, which browsers do not send."""
        return f"http://{LOOPBACK}:{self.port}/#{self._channel.token}"

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is in use.
        """
        listener = socket.create_server((LOOPBACK, self._requested_port))
        self.port = listener.getsockname()[1]
        self._venue.watch_bytes(self._traffic)
        config = uvicorn.Config(
            _Guard(self._app(), self.port, self._channel.is_token, frozenset(self._public_files)),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            # uvicorn would log an error for each page that is dropped, or still open at shutdown.
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_REQUESTS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self._server = server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=server.run, args=([listener],), name="venue page server", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Stop listening; pages that are open show that the venue has stopped."""
        self._venue.watch_bytes(None)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.stopping.set)
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        self._builder.shutdown()

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                *(Route(path, self._file) for path in self._public_files),
                Route("/operations", self._list_operations),
                Route("/do", self._do, methods=["POST"]),
                Route("/messages/{number:int}", self._message),
                Route("/updates", self._updates),
            ]
        )

    async def _file(self, request: Request) -> Response:
        content, media_type = self._public_files[request.url.path]
        return Response(content, media_type=media_type)

    async def _list_operations(self, _: Request) -> Response:
        return JSONResponse(self._operations)

    async def _do(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_LINE:
                return PlainTextResponse(f"a request must have at most {MAX_LINE} bytes", 413)
        return JSONResponse(await asyncio.to_thread(self._channel.answer, body, authorized=True))

    async def _message(self, request: Request) -> Response:
        number = request.path_params["number"]
        explanation = await self._run_in_builder(lambda: self._traffic.explanation(number))
        return JSONResponse(explanation, 404 if explanation is None else 200)

    async def _updates(self, request: Request) -> Response:
        query = request.query_params
        product, _, rest = query.get("session", "").partition(" ")
        session_type, _, key = rest.partition(" ")
        chosen = (product, session_type, key) if product else None
        return _Stream(self, query.get("market"), chosen)

    async def _run_in_builder(self, function: Callable[[], T]) -> T:
        """Run a function in the only thread that reads the traffic."""
        return await asyncio.get_running_loop().run_in_executor(self._builder, function)

    def _update(self, market: str | None, session: SessionId | None) -> dict[str, Any]:
        try:
            content = self._venue.inspect(lambda venue: page_content(venue, market))
        except RuntimeError:
            return {"stopped": True}
        last = self._traffic.last_by_session()
        statuses = {(each["product"], each["session"], each["key"]): each for each in content["sessions"]}
        content["sessions"] = [
            {"id": each, "status": statuses.get(each), "last": last.get(each, [])}
            for each in sorted({*last, *statuses})
        ]
        return content | {"messages": self._traffic.last(session)}

    async def stream(self, send: Send, market: str | None, session: SessionId | None) -> None:
        """Send an update whenever the content has changed, until the browser fails to read in time."""
        self._loop = loop = asyncio.get_running_loop()
        previous = ""
        while True:
            started = loop.time()
            text = json.dumps(await self._run_in_builder(lambda: self._update(market, session)))
            build_time = loop.time() - started
            # If nothing has changed, a comment is sent: it shows the browser that the venue is running, and
            # fails if the browser has disconnected.
            event = ": unchanged\n\n" if text == previous else f"data: {text}\n\n"
            previous = text
            async with asyncio.timeout(self._patience):
                await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
            await asyncio.sleep(max(MIN_INTERVAL, build_time / MAX_BUILD_SHARE))


class _Stream(Response):
    """Server-sent events until the browser disconnects."""

    media_type = "text/event-stream"

    def __init__(self, server: WebServer, market: str | None, session: SessionId | None) -> None:
        super().__init__()
        self._server, self._market, self._session = server, market, session
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = self._server
        if server.viewers >= MAX_VIEWERS:
            await PlainTextResponse("too many pages are open", 503)(scope, receive, send)
            return
        server.viewers += 1
        tasks = [
            asyncio.create_task(_wait_for_disconnect(receive)),
            asyncio.create_task(server.stopping.wait()),
        ]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            tasks.append(asyncio.create_task(server.stream(send, self._market, self._session)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.viewers -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Guard:
    """Refuses requests from other sites or without the token, and adds the headers of the policy."""

    def __init__(
        self, app: ASGIApp, port: int, is_token: Callable[[str], bool], public: frozenset[str]
    ) -> None:
        self._app, self._is_token, self._public_files = app, is_token, public
        self._hosts = {f"{name}:{port}" for name in (LOOPBACK, "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy_headers = [(name.lower().encode(), value.encode()) for name, value in _POLICY.items()]
                message["headers"] = [*message["headers"], *policy_headers]
            await send(message)

        refusal = self._refusal(Headers(scope=scope), scope["path"])
        app = self._app if refusal is None else refusal
        await app(scope, receive, send_with_policy)

    def _refusal(self, headers: Headers, path: str) -> Response | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return PlainTextResponse("this page has a different address", 421)
        site = headers.get("sec-fetch-site", "none")
        if any(origin != f"http://{hosts[0]}" for origin in origins) or site not in ("none", "same-origin"):
            return PlainTextResponse("requests from other sites are refused", 403)
        if path in self._public_files:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self._is_token(token):
            return PlainTextResponse("the token of the control channel is missing or wrong", 401)
        return None
