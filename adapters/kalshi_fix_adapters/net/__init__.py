"""Reaching a host: `dial` makes a connection, `tls` says who is trusted, `tls_buffer` does TLS in memory.

`sleeper` waits for sockets in a thread; `key_text` keeps a private key that was given for a path out of
errors. Nothing is imported here but `errors`, `events` and the core.
"""
