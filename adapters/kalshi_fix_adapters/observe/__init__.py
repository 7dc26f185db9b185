"""Seeing what a client does: observers, standard logging, the wire log, timings.

`observer` is what users implement; `dispatch` calls it and the others; `redact` keeps secrets out of what is
written. It may import `events`, `errors`, `locks` and the core.
"""
