"""`kalshi-fix venue` and its subcommands: the simulated Kalshi, served, operated, simulated and replayed."""
