"""The REST requests of the programs, with kalshi-sdk; this part does not change."""

from kalshi import KalshiClient


def is_trading(client: KalshiClient) -> bool:
    """Return whether the exchange trades; the client retries failures of the server."""
    return bool(client.exchange.status().trading_active)
