"""The benchmark cases, one module for each kind."""
