"""Shared parts of the trading machines: amounts, report keys, uncertainties, dumps, adopted requests."""
