"""Simulated order flow: traders with random orders. The same seed produces the same flow."""

from kalshi_fix_venue.flow.flow import MAX_AT_ONCE, Flow
from kalshi_fix_venue.flow.settings import FlowConfig, is_trader

__all__ = ["MAX_AT_ONCE", "Flow", "FlowConfig", "is_trader"]
