"""What the programs ask by REST, with kalshi-sdk; this part stays as it is."""

from kalshi import KalshiClient


def is_trading(client: KalshiClient) -> bool:
    """Return whether the exchange trades; the client retries failures of the server."""
    return bool(client.exchange.status().trading_active)
