"""A client trades over TLS with the simulated venue, is killed by SIGKILL again and again, and is finally
reconciled with the venue.

`runs`: when and where each process is killed, drawn at random from a seed. `trader`: the client.
`kill_counter`: kills from inside the client. `fork_server`: the process that forks clients. `journal`: the
user's file; `entries`: how it records events; `knowledge`: the state that follows from it. `relay`: the
network path to the venue. `venue`: the venue and its records. `process_series`: the series of processes.
`reconcile`: the final comparison."""
