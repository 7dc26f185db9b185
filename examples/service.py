"""A session as a service: options from a file, JSON logs, health checks, metrics, and a Logout on SIGTERM.

    python service.py desk.toml 9464

`/live` returns 200 while the loop below is running, and `/ready` returns 200 while the session is logged on.
`/metrics` is for Prometheus.
"""

import logging
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from kalshi_fix_adapters.blocking import Client, order_entry
from kalshi_fix_adapters.config.toml_file import load_configs
from kalshi_fix_adapters.errors import ClientTimeoutError
from kalshi_fix_adapters.observe.json_log import JsonFormatter
from kalshi_fix_adapters.observe.metrics import PrometheusMetrics
from kalshi_fix_sansio import MessageReceived

MAX_STEP_SECONDS = 30.0  # longest duration of a step of the loop


class Checks(BaseHTTPRequestHandler):
    """Answers health checks and requests from Prometheus."""

    client: Client
    last_step = 0.0

    def do_GET(self) -> None:
        """Answer 200 if healthy, otherwise 503."""
        healthy = {
            "/live": monotonic() - self.last_step < MAX_STEP_SECONDS,
            "/ready": self.client.is_logged_on,
            "/metrics": True,
        }
        self.send_response(200 if healthy.get(self.path) else 503)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.end_headers()
        if self.path == "/metrics":
            self.wfile.write(generate_latest())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Do not log requests: there is one every few seconds."""


def run(client: Client) -> None:
    """Print the venue's messages."""
    while True:
        Checks.last_step = monotonic()
        try:
            event = client.receive(timeout=1.0)
        except ClientTimeoutError:
            continue
        if isinstance(event, MessageReceived):
            print(event.message, flush=True)


handler = logging.StreamHandler()
handler.setFormatter(JsonFormatter())
logging.basicConfig(level=logging.INFO, handlers=[handler])
# systemd and container engines stop a program with SIGTERM; sys.exit leaves the `with` block, which logs out.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
config = load_configs(sys.argv[1])["orders"]
with order_entry(config=config, retransmission=True, observer=PrometheusMetrics("orders")) as client:
    Checks.client, Checks.last_step = client, monotonic()
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Checks)
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"health checks at http://127.0.0.1:{server.server_port}", flush=True)
    run(client)
