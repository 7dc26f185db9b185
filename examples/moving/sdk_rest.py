"""The programs' REST requests, made with kalshi-sdk; moving to this library does not change them."""

from kalshi import KalshiClient


def is_trading(client: KalshiClient) -> bool:
    """Return whether the exchange is trading; the client retries after server errors."""
    return bool(client.exchange.status().trading_active)
