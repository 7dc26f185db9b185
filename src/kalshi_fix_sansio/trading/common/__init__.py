"""Shared parts of the state machines: amounts, report keys, uncertainties, dumps, adopted requests."""
