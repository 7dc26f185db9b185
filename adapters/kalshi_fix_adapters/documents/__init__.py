"""Readers of hand-written documents that keep the line numbers.

This package imports no other package of the project: codegen uses it, too, and must run while generated code
is broken.
"""
