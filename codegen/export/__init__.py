"""Exports: QuickFIX dictionaries, FIX Orchestra, and the reference pages of the docs.

It imports only `read` and the model.
"""
