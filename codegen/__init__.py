"""Generate code, QuickFIX dictionaries and documentation pages from the YAML of a dialect.

A development tool of this repository. It is not part of the distribution, and no other package imports it.
"""
