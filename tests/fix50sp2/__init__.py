"""Plain FIX 5.0 SP2 over FIXT 1.1: a second dialect for the session to run on, with nothing of Kalshi."""
