"""Exports: QuickFIX dictionaries, FIX Orchestra, and the reference pages of the docs.

This package does not import `emit` or `diff`.
"""
