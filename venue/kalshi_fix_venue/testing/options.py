"""Connection options of clients of a simulated venue."""

from __future__ import annotations

from typing import TypedDict

from kalshi_fix_adapters.net.tls import Security
from kalshi_fix_sansio._generated.sessions import Product


class VenueOptions(TypedDict):
    """The arguments with which a client connects to a simulated venue. They can be combined with all other
    arguments in `kalshi_fix_adapters.config.plan.Options`: `order_entry(**venue.options(), store=folder)`."""

    product: Product
    key_id: str
    private_key: bytes
    host: str
    port: int
    tls: Security
