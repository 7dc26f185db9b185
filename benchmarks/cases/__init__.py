"""The cases that are measured, one module for each kind."""
