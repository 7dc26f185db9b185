"""Observability of a client: observers, standard logging, the wire log and timings.

- `observer` is the interface that users implement.
- `dispatch` passes everything that happens in a client to the observers, logs and timings.
- `redact` removes secrets from written data.
- `locks` contains locks that are released even after an interrupt.

This package may import `events`, `errors` and the core.
"""
