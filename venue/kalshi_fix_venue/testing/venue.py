"""A simulated Kalshi for one test, or for many tests in succession."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self
from uuid import UUID

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.net.tls import InProcess, Security, Tls
from kalshi_fix_sansio import PRODUCTS, SESSION_TYPES
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import AccountId, Command
from kalshi_fix_venue.exchange.orders import OrderSnapshot
from kalshi_fix_venue.exchange.outcomes import Outcome
from kalshi_fix_venue.identities import Authority, ClientKey
from kalshi_fix_venue.liquidity import liquidity_orders
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.operations.base import Answer
from kalshi_fix_venue.scenario import BALANCE, MARKETS, RESTING_LEVELS, Keys, Market, Scenario
from kalshi_fix_venue.scenario.file import load_scenario
from kalshi_fix_venue.server import VenueServer
from kalshi_fix_venue.testing.options import VenueOptions
from kalshi_fix_venue.testing.trader import Number, Trader
from kalshi_fix_venue.venue import SeqNums, VenueModel


class Venue:
    """A simulated Kalshi with markets, accounts and API keys, as a context manager.

    Clients connect within the process, without a network or TLS. With `tls` they connect to loopback ports.
    The venue runs in a background thread, so it serves blocking code and every event loop. Its methods wait
    only for that thread, and see everything that clients have written before the call. Several venues are
    independent of each other.

    Without a `scenario` the books are empty at first. Methods that access the running venue raise
    RuntimeError outside the `with` block.
    """

    def __init__(
        self,
        *,
        owners: Iterable[str] = ("me", "other"),
        tls: bool = False,
        rsa_keys: bool = False,
        markets: Mapping[str, Sequence[Market]] = MARKETS,
        balance: Number = BALANCE,
        seed: int = 1,
        settings: Mapping[str, Any] | None = None,
        scenario: Scenario | Path | str | None = None,
    ) -> None:
        """Prepare a venue, which starts when its `with` block is entered.

        Args:
            owners: owners with an account on each product, and an API key for each of its session types.
            tls: listen on loopback ports, with a throwaway certificate authority.
            rsa_keys: generate RSA keys instead of Ed25519 keys, for clients that support only RSA.
            markets: the markets, by product.
            balance: initial balance of each account, in dollars.
            seed: seed of the ids that the venue generates, which repeat after each `reset`.
            settings: further arguments of `VenueConfig`, such as `sending_time_tolerance`.
            scenario: initial state of the venue, or the YAML file that describes it. `owners` are then added
                to its owners, and `markets` are not used. Every owner gets a key for each session type.

        Raises:
            ConfigurationError: the arguments contradict each other, or the file is invalid; the text then
                contains the line number.
        """
        start = _scenario(scenario, markets).with_owners(owners, balance=Decimal(balance))
        self._seed = seed if start.seed is None else start.seed
        self._markets = start.markets
        holders = [(account.owner, account.product) for account in start.accounts]
        self._keys = _keys(holders, self._random(), rsa_keys=rsa_keys)
        scenario_keys = {(keys.owner, keys.product): keys for keys in reversed(start.keys)}
        more_settings = dict(settings or {})
        flow = more_settings.pop("flow", start.flow)
        complete_scenario = attrs.evolve(
            start,
            keys=tuple(
                attrs.evolve(
                    scenario_keys.get(holder, Keys(owner=holder[0], product=holder[1])),
                    count=len(self._keys[holder]),
                )
                for holder in holders
            ),
            settings={**start.settings, **more_settings},
            flow=flow,
        )
        config = complete_scenario.config(
            {holder: tuple(keys.values()) for holder, keys in self._keys.items()}
        )
        self._owners = {
            product: {account.owner for account in config.accounts if account.product == product}
            for product in PRODUCTS
        }
        self._traders: dict[tuple[str, str], Trader] = {}
        authority = Authority() if tls else None
        self.ca_pem: str | None = None if authority is None else authority.certificate_pem.decode()
        """The certificate that a client must trust; None without TLS."""
        self.server: VenueServer = VenueServer(
            config,
            None if authority is None else authority.issue(),
            ports=None if tls else {},
            random=self._random(),
        )

    def _random(self) -> Random:
        return Random(self._seed)  # noqa: S311 - nothing secret is drawn from it

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.server.__exit__(*raised)

    def reset(self) -> None:
        """Restore the initial balances, positions and orders; end all sessions and faults.

        Every connection is dropped. The keys, the ports and the thread are kept, so this costs less than a
        logon. A client that was left open reconnects as after any connection loss, so close clients first.
        """
        self.server.reset(self._random())

    # For clients

    def options(
        self,
        owner: str = "me",
        session: str = "KalshiNR",
        *,
        product: Product = "prediction",
        key: str | None = None,
    ) -> VenueOptions:
        """Return the arguments with which a client connects as an owner: `order_entry(**venue.options())`.

        Args:
            owner: the owner of the account.
            session: session type.
            product: `prediction` or `margin`.
            key: session type whose key is used; by default `session`. Kalshi allows one connection per key.

        Raises:
            ConfigurationError: there is no such owner on the product, or the owner has no key for the session
                type `key`, which defaults to `session`.
        """
        client_key = self._key(owner, product, session if key is None else key)
        host, port = f"{product}.{_IN_PROCESS}", SESSION_TYPES[session].port or 0
        tls: Security = InProcess(self._connect)
        if self.ca_pem is not None:
            host, port = self.server.host, self.server.port(product, session)
            tls = Tls(ca_data=self.ca_pem)
        return {
            "product": product,
            "key_id": client_key.key_id,
            "private_key": client_key.private_key_pem,
            "host": host,
            "port": port,
            "tls": tls,
        }

    def _connect(self, host: str, port: int) -> socket.socket:
        sessions = {session_type.port: name for name, session_type in SESSION_TYPES.items()}
        return self.server.connect(host.partition(".")[0], sessions.get(port, ""))

    # The counterparty

    def trader(self, owner: str = "other", *, product: Product = "prediction") -> Trader:
        """Return a trader who acts for an owner, as the counterparty of a test's trades.

        Raises:
            ConfigurationError: there is no such owner.
        """
        self._require_owner(owner, product)
        if (owner, product) not in self._traders:
            options = partial(self.options, owner, product=product)
            self._traders[owner, product] = Trader(self.server, product, owner, options)
        return self._traders[owner, product]

    def rest_liquidity(self, *, levels: int = RESTING_LEVELS) -> None:
        """Add anonymous resting orders on both sides of every market: at `levels` prices on each side, 10 to
        100 contracts at each price.
        """
        random = self._random()

        def act(model: VenueModel, now: Instant) -> None:
            for product, markets in self._markets.items():
                for market in markets:
                    for order in liquidity_orders(
                        market.rules,
                        market.middle,
                        random,
                        model.new_id,
                        levels=levels,
                        spacing=market.spacing,
                    ):
                        model.execute(product, order, now)

        self.server.run(act)

    def do(self, name: str, **parameters: object) -> Answer:
        """Perform an operation or a fault by name, as `kalshi-fix venue do` does: `do("pause",
        what="exchange")`, `do("settle", market=ticker)`.

        Raises:
            ConfigurationError: there is no such operation or parameter, or the operation is not possible now.
        """
        return self.server.perform(operation(name, parameters))

    def skip(self, seconds: float) -> None:
        """Skip seconds of the venue's time, so a test need not wait for timers and expiries.

        The clocks of clients are unaffected. If they differ from the venue's clock by more than the setting
        `sending_time_tolerance`, the venue refuses the clients' messages. The venue also treats the skipped
        time as time in which the clients sent nothing. If it exceeds a client's heartbeat interval, the venue
        sends a TestRequest, and then disconnects the client.
        """
        self.server.skip(seconds)

    def execute(self, command: Command, *, product: Product = "prediction") -> Sequence[Outcome]:
        """Execute a command on a product's exchange; the commands are in `kalshi_fix_venue.exchange`.

        Raises:
            ValueError: the command cannot be executed (see `Exchange.apply`).
        """
        return self.server.execute(product, command)

    # State of the exchange

    def orders(self, owner: str = "me", *, product: Product = "prediction") -> tuple[OrderSnapshot, ...]:
        """Return the open orders of an owner, the oldest first.

        Raises:
            ConfigurationError: there is no such owner.
        """
        self._require_owner(owner, product)
        return self.server.inspect(
            lambda model: tuple(
                order for order in model.exchange(product).open_orders() if order.account.owner == owner
            )
        )

    def positions(
        self, owner: str = "me", *, product: Product = "prediction", subaccount: int = 0
    ) -> dict[str, Decimal]:
        """Return the contracts that an account holds, by market: positive if long (YES), negative if short
        (NO).

        Raises:
            ConfigurationError: there is no such owner.
        """
        self._require_owner(owner, product)
        return self.server.inspect(
            lambda model: {
                ticker: holding.position.net
                for account in model.exchange(product).accounts()
                if (account.id.owner, account.id.subaccount) == (owner, subaccount)
                for ticker, holding in account.holdings.items()
                if holding.position.net
            }
        )

    def cash(
        self, owner: str = "me", *, product: Product = "prediction", subaccount: int = 0, shard: int = 0
    ) -> Decimal:
        """Return the balance of an account in dollars, including the amount reserved for open orders.

        Raises:
            ConfigurationError: there is no such account.
        """
        account = AccountId(owner, subaccount, shard)
        self._require_owner(owner, product)
        try:
            return self.server.inspect(lambda model: model.exchange(product).account(account).balance)
        except KeyError:
            raise ConfigurationError(
                f"{owner!r} has no subaccount {subaccount} on shard {shard} of {product}"
            ) from None

    def seq_nums(
        self,
        owner: str = "me",
        session: str = "KalshiNR",
        *,
        product: Product = "prediction",
        key: str | None = None,
    ) -> SeqNums | None:
        """Return the venue's next MsgSeqNums (34) for a key on a session type. If the key is not logged on,
        they are the stored numbers, or None if the session type stores none.

        Raises:
            ConfigurationError: there is no such owner on the product, or the owner has no key for the session
                type `key`, which defaults to `session`.
        """
        client_key = self._key(owner, product, session if key is None else key)
        return self.server.inspect(lambda model: model.seq_nums(client_key.key_id, session))

    def logged_on(self, owner: str = "me", *, product: Product = "prediction") -> tuple[str, ...]:
        """Return the session types that an owner is logged on to."""
        ids = {
            key.key_id
            for holder, keys in self._keys.items()
            if holder == (owner, product)
            for key in keys.values()
        }
        sessions = self.server.inspect(VenueModel.logged_on)
        return tuple(session for key_id, session in sessions.items() if key_id in ids)

    def _require_owner(self, owner: str, product: str) -> None:
        owners = self._owners.get(product, ())
        if owner not in owners:
            raise ConfigurationError(
                f"there is no owner {owner!r} on {product}; {did_you_mean(owner, owners)}"
            )

    def _key(self, owner: str, product: str, session: str) -> ClientKey:
        self._require_owner(owner, product)
        keys = self._keys.get((owner, product), {})
        if session not in keys:
            raise ConfigurationError(
                f"{owner!r} has no key for {session!r} on {product}; {did_you_mean(session, keys)}"
            )
        return keys[session]


_IN_PROCESS = "simulated"
"""Last part of the host name that clients in this process show in their logs: `prediction.simulated`."""


def _scenario(given: Scenario | Path | str | None, markets: Mapping[str, Sequence[Market]]) -> Scenario:
    if given is None:
        without_liquidity = {
            product: tuple(attrs.evolve(market, levels=0) for market in product_markets)
            for product, product_markets in markets.items()
        }
        return Scenario(markets=without_liquidity)
    if isinstance(given, Scenario):
        return given
    return load_scenario(Path(given))


def _keys(
    holders: Sequence[tuple[str, str]], random: Random, *, rsa_keys: bool
) -> dict[tuple[str, str], dict[str, ClientKey]]:
    """Generate one key pair per owner, registered under a separate API key for each session type of a
    product."""
    pairs = {owner: ClientKey.generate(ed25519_key=not rsa_keys) for owner, _ in holders}
    return {
        (owner, product): {
            name: attrs.evolve(pairs[owner], key_id=str(UUID(int=random.getrandbits(128), version=4)))
            for name, session_type in SESSION_TYPES.items()
            if product in session_type.products
        }
        for owner, product in holders
    }
