"""Reads hand-written documents, and keeps their line numbers.

This package imports no other package of the project. The code generator uses it too, and must run even while
the generated code of the other packages is broken.
"""
