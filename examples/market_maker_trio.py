"""Quote both sides of a market until Ctrl-C; resting orders are cancelled at the end, and on a disconnect.

    python market_maker_trio.py SYMBOL KEY_ID PRIVATE_KEY_PATH

KEY_ID and PRIVATE_KEY_PATH specify a second API key, for market data, because Kalshi allows only one
connection per key. The key for orders is read from the environment.
"""

from sys import argv

import trio
from market_maker import MarketMaker

from kalshi_fix_adapters.trio import market_data, order_entry
from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.trading import RateBudget


async def main(symbol: str, key_id: str, private_key_path: str) -> None:
    """Run until cancelled."""
    async with (
        order_entry(
            logon_fields=LogonFields(cancel_orders_on_disconnect=True), budget=RateBudget("Basic")
        ) as orders,
        market_data(key_id=key_id, private_key_path=private_key_path) as prices,
        trio.open_nursery() as nursery,
    ):
        maker = MarketMaker(symbol, orders, prices)
        nursery.start_soon(maker.follow_orders)
        nursery.start_soon(maker.follow_prices)


try:
    trio.run(main, argv[1], argv[2], argv[3])
except* KeyboardInterrupt:
    pass
