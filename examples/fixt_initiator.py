"""A minimal FIXT 1.1 initiator over plain TCP. Like the acceptor, it echoes orders; it also reconnects."""

from __future__ import annotations

import socket
import time

from fixt_peer import Peer, argument_parser, session_config

from kalshi_fix_sansio.config import Role

CONNECT_TIMEOUT = 10.0
"""Maximum number of seconds to connect."""
RECONNECT_DELAY = 0.5
"""Number of seconds before the next attempt to connect."""


def main() -> None:
    """Connect, run the session to its end, and repeat."""
    parser = argument_parser("Log on to a FIXT 1.1 acceptor and send orders back.")
    parser.add_argument("--host", required=True)
    parser.add_argument("--heartbeat", type=int, default=30, help="HeartBtInt in seconds")
    options = parser.parse_args()
    config = session_config(Role.INITIATOR, options, options.heartbeat)
    while True:
        try:
            sock = socket.create_connection((options.host, options.port), CONNECT_TIMEOUT)
        except OSError:
            pass
        else:
            peer = Peer(sock, config, admit=lambda: True)
            peer.run()
            peer.close()
        time.sleep(RECONNECT_DELAY)


if __name__ == "__main__":
    main()
