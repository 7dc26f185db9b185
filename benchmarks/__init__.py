"""Benchmarks of the library and of other engines, measured in one run: `make bench`."""
