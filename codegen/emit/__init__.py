"""Emitting: the model of a dialect as Python source.

The templates only loop. Everything they print is thought out here: annotations, converters, expressions,
imports and docstrings as finished text. `render` writes all files, `check` compares them with what is
committed, `api` compares what users can call with the last release. It imports no other package of codegen.
"""
