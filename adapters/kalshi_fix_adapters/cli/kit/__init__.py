"""Shared by all subcommands, including those of other distributions."""
