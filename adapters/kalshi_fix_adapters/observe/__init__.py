"""Observability of a client: observers, standard logging, the wire log, timings.

`observer` is the interface that users implement; `dispatch` calls it and the others; `redact` removes secrets
from written data; `locks` has locks that an interrupt cannot leave held. This package may import `events`,
`errors` and the core.
"""
