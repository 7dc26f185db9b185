"""The I/O around `kalshi_fix_sansio`: clients, TLS, settings, stores, logs and the command."""
