"""Requests for quotes: the creator, the maker, and their common base."""
