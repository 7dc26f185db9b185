"""Writes everything generated from the dialect's YAML: Python, QuickFIX dictionaries, docs pages.

A tool of the repository. It is not shipped, and nothing imports it.
"""
