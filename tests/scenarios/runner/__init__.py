"""Player for scenario files: runs a session in memory and over a socket."""
