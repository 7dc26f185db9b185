"""The I/O for `kalshi_fix_sansio`: clients, TLS, settings, stores, logs and the command."""
