"""A minimal FIXT 1.1 acceptor that echoes orders, over plain TCP, for peers on this machine.

Only one peer can be logged on at a time. Sequence numbers start at 1 with every Logon.
"""

from __future__ import annotations

import socket
from threading import Lock, Thread

from fixt_peer import Peer, argument_parser, session_config

from kalshi_fix_sansio.config import Role, SessionConfig

GRACE = 0.2
"""Seconds to wait for the end of the previous connection if the peer reconnects at once."""


def serve(sock: socket.socket, config: SessionConfig, logon_lock: Lock) -> None:
    """Serve one connection to its end; `logon_lock` is locked while the peer is logged on."""
    admitted = False

    def admit() -> bool:
        nonlocal admitted
        admitted = logon_lock.acquire(timeout=GRACE)
        return admitted

    peer = Peer(sock, config, admit)
    try:
        peer.run()
    finally:
        if admitted:
            logon_lock.release()
        peer.close()


def main() -> None:
    """Serve each connection in a separate thread."""
    options = argument_parser("Accept FIXT 1.1 sessions and send orders back.").parse_args()
    config = session_config(Role.ACCEPTOR, options)
    logon_lock = Lock()
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        print("listening on port", listener.getsockname()[1], flush=True)
        while True:
            sock, _ = listener.accept()
            Thread(target=serve, args=(sock, config, logon_lock), daemon=True).start()


if __name__ == "__main__":
    main()
