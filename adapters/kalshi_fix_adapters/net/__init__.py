"""Connections: `dial` connects, `tls` defines the TLS settings, `tls_buffer` implements TLS in memory.

`sleeper` waits for sockets in a thread; `key_text` keeps private keys out of error messages. The package may
import only `errors`, `events` and the core.
"""
