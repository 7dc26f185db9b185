"""A client that trades over TLS with the simulated venue, is killed by SIGKILL again and again, and is
reconciled with the venue at the end.

`lives` how it lives and dies, as values drawn from a seed; `trader` the client, `deaths` how it dies by
itself, `zygote` the process that forks it; `journal` what it writes down, `entries` how it writes events,
`knowledge` what follows from that; `relay` the way to the venue; `venue` the venue and what it puts on
record; `course` one life after the other; `reconcile` the end.
"""
