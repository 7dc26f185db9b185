"""Reaching a host: `dial` makes a connection, `tls` says who is trusted, `tls_buffer` does TLS in memory.

`sleeper` waits for sockets in a thread. Nothing is imported here but `errors`, `key_text` and the core.
"""
