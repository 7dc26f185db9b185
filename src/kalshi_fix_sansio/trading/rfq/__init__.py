"""Requests for quotes (RFQs): the creator's side, the maker's side, and their common base."""
