"""Fuzzing: search for inputs that violate an invariant, with `make fuzz` or `python -m fuzz --help`."""
