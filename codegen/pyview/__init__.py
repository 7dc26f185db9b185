"""The resolved model as Python source sees it.

The templates only loop. Everything they print is thought out here: annotations, converters, expressions,
imports and docstrings as finished text.
"""
