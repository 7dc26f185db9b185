"""A client trades over TLS with the simulated venue and is repeatedly killed by SIGKILL. At the end, its
journal is compared with the venue's records.

`runs`: when and where each process is killed, drawn at random from a seed. `trader`: the client.
`kill_counter`: kills from inside the client. `fork_server`: the process that forks clients. `journal`: the
user's file; `entries`: events as entries of the journal; `knowledge`: the state derived from the journal.
`relay`: the network path to the venue. `venue`: the venue and its records. `process_series`: the series of
processes. `reconcile`: the final comparison."""
