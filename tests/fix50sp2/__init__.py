"""Plain FIX 5.0 SP2 over FIXT 1.1: a second dialect, which owes nothing to Kalshi, for the session to run on."""
