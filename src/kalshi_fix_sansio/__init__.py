"""Kalshi's FIX dialect without I/O: typed messages, codec and session."""
