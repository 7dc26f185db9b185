"""The REST requests of the programs, with kalshi-sdk; this part does not change."""

from kalshi import KalshiClient


def is_trading(client: KalshiClient) -> bool:
    """Return whether the exchange is trading; the client retries after server errors."""
    return bool(client.exchange.status().trading_active)
