"""Search for inputs that break a promise: `make fuzz`, or `python -m fuzz --help`."""
