"""Plays scenario files against a session: in memory, and over a socket."""
