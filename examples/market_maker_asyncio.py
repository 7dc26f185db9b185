"""Quote both sides of a market until Ctrl-C; resting orders are cancelled at the end, and on a disconnect.

    python market_maker_asyncio.py SYMBOL KEY_ID PRIVATE_KEY_PATH

KEY_ID and PRIVATE_KEY_PATH specify a second API key, for market data, because Kalshi allows only one
connection per key. The key for orders is read from the environment.
"""

import asyncio
from contextlib import suppress
from sys import argv

from market_maker import MarketMaker

from kalshi_fix_adapters.asyncio import market_data, order_entry
from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.trading import RateBudget


async def main(symbol: str, key_id: str, private_key_path: str) -> None:
    """Run until cancelled."""
    async with (
        order_entry(
            logon_fields=LogonFields(cancel_orders_on_disconnect=True), budget=RateBudget("Basic")
        ) as orders,
        market_data(key_id=key_id, private_key_path=private_key_path) as prices,
        asyncio.TaskGroup() as tasks,
    ):
        maker = MarketMaker(symbol, orders, prices)
        tasks.create_task(maker.follow_orders())
        tasks.create_task(maker.follow_prices())


with suppress(KeyboardInterrupt):
    asyncio.run(main(argv[1], argv[2], argv[3]))
