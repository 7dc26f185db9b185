"""Reads hand-written documents, and keeps their line numbers.

This package imports no other package of the project, because codegen uses it too, and must run while
generated code is broken.
"""
