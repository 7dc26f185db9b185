"""The simulated Kalshi with everything a client needs to talk to it: a throwaway CA, API keys, markets,
a book."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import attrs

from kalshi_fix_adapters.config.plan import Options
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_adapters.venue.config import AccountConfig, ApiKey, VenueConfig
from kalshi_fix_adapters.venue.exchange.market import MarketRules, margin_market, prediction_market
from kalshi_fix_adapters.venue.identities import Authority, ClientKey
from kalshi_fix_adapters.venue.liquidity import LIQUIDITY, liquidity_orders
from kalshi_fix_adapters.venue.server import VenueServer, all_ports
from kalshi_fix_sansio import PRODUCTS
from kalshi_fix_sansio._generated.sessions import Product

PREDICTION: Final = "prediction"
MARGIN: Final = "margin"
BALANCE = Decimal(10_000)
"""Dollars on each account."""


@attrs.frozen
class Market:
    """A market, and around which price orders rest, in dollars."""

    rules: MarketRules
    middle: Decimal
    spacing: Decimal


MARKETS: Mapping[str, tuple[Market, ...]] = {
    PREDICTION: (
        Market(prediction_market("KXHIGHNY-26DEC31-B50"), Decimal("0.45"), Decimal("0.02")),
        Market(prediction_market("KXNBA-27-NYK"), Decimal("0.12"), Decimal("0.01")),
    ),
    MARGIN: (
        Market(margin_market("BTC-PERP"), Decimal("19.50"), Decimal("0.05")),
        Market(margin_market("ETH-PERP"), Decimal("7.25"), Decimal("0.01")),
    ),
}
RESTING_LEVELS = 2


class Sandbox:
    """A venue for one purpose: `owners` have an account and `keys_each` API keys on every product.

    One connection per API key is the venue's rule, so whoever wants orders and market data at once needs
    two.
    """

    def __init__(
        self,
        owners: tuple[str, ...],
        *,
        keys_each: int = 2,
        ports: Mapping[tuple[str, str], int] | None = None,
        random: Random | None = None,
        ed25519_keys: bool = True,
    ) -> None:
        self._authority = Authority()
        self._random = Random() if random is None else random  # noqa: S311 - nothing secret is drawn from it
        self.keys = {
            (owner, product): tuple(ClientKey.generate(ed25519_key=ed25519_keys) for _ in range(keys_each))
            for owner in owners
            for product in PRODUCTS
        }
        self.server = VenueServer(
            self._config(owners), self._authority.issue(), ports=ports, random=self._random
        )

    def _config(self, owners: tuple[str, ...]) -> VenueConfig:
        return VenueConfig(
            markets={
                product: tuple(market.rules for market in markets) for product, markets in MARKETS.items()
            },
            accounts=tuple(
                AccountConfig(owner=owner, product=product, balance=BALANCE, drop_copy=True)
                for owner in (*owners, LIQUIDITY)
                for product in PRODUCTS
            ),
            api_keys=tuple(
                ApiKey(key_id=key.key_id, public_key=key.public_key, owner=owner, product=product)
                for (owner, product), keys in self.keys.items()
                for key in keys
            ),
        )

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.enter_context(self.server)
            for product, markets in MARKETS.items():
                for market in markets:
                    self._rest_liquidity(product, market)
            # All of it stands: the server is stopped by `__exit__`, not here.
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.__exit__(kind, error, traceback)

    def _rest_liquidity(self, product: str, market: Market) -> None:
        for order in liquidity_orders(
            market.rules,
            market.middle,
            self._random,
            self._new_id,
            levels=RESTING_LEVELS,
            spacing=market.spacing,
        ):
            self.server.execute(product, order)

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    @property
    def ca_pem(self) -> str:
        """What a client must trust."""
        return self._authority.certificate_pem.decode()

    def options(self, owner: str, product: Product, session: str, key: int = 0) -> Options:
        """Return the arguments with which one of an owner's keys connects a client to a session type."""
        chosen = self.keys[owner, product][key]
        return {
            "product": product,
            "key_id": chosen.key_id,
            "private_key": chosen.private_key_pem,
            "host": self.server.host,
            "port": self.server.port(product, session),
            "tls": Tls(ca_data=self.ca_pem),
        }

    def write_files(self, folder: Path, owner: str) -> dict[str, list[tuple[str, Path]]]:
        """Write the CA and an owner's private keys into a folder.

        Returns for each product the ids of the keys and the files with them.

        Raises:
            OSError: the folder cannot be written, or holds such files already.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with self.ca_path(folder).open("x") as file:
            file.write(self.ca_pem)
        written: dict[str, list[tuple[str, Path]]] = {product: [] for product in PRODUCTS}
        for product, files in written.items():
            for number, key in enumerate(self.keys[owner, product], 1):
                path = folder / f"{product}-{number}.pem"
                key.write(path)
                files.append((key.key_id, path))
        return written

    @staticmethod
    def ca_path(folder: Path) -> Path:
        """Return where `write_files` puts the CA."""
        return folder / "ca.pem"

    def endpoints(self, product: str) -> str:
        """Return the addresses of all session types of a product, as KALSHI_FIX_ENDPOINTS wants them."""
        return ",".join(
            f"{session}={self.server.host}:{self.server.port(product, session)}"
            for of_product, session in all_ports()
            if of_product == product
        )
