"""Everything that does I/O around `kalshi_fix_sansio`: clients, TLS, settings, the venue, the command."""
