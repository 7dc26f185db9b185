"""A simulated Kalshi with everything that a client needs: a throwaway CA, API keys, markets and books."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Self

from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_sansio import PRODUCTS
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_venue.identities import Authority, ClientKey
from kalshi_fix_venue.input_log import InputLog
from kalshi_fix_venue.scenario import KEYS_PER_OWNER, Scenario
from kalshi_fix_venue.server import VenueServer, all_ports
from kalshi_fix_venue.testing.options import VenueOptions
from kalshi_fix_venue.venue import VenueModel

ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - only on explicit request, such as in a container
"""The host that represents every address of the machine."""


class Sandbox:
    """A throwaway venue: each of `owners` has an account and `keys_each` API keys on every product. The venue
    allows one connection per API key, so each simultaneous session needs its own key.
    """

    def __init__(
        self,
        owners: tuple[str, ...] = (),
        *,
        keys_each: int = KEYS_PER_OWNER,
        ports: Mapping[tuple[str, str], int] | None = None,
        random: Random | None = None,
        ed25519_keys: bool = True,
        scenario: Scenario | None = None,
        input_log: InputLog | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        if scenario is None:
            scenario = Scenario().with_owners(owners).with_keys(count=keys_each, rsa=not ed25519_keys)
        self.scenario: Scenario = scenario.with_owners(owners)
        """The initial state of the venue. `keys_each` and `ed25519_keys` do not apply to a given scenario."""
        self._authority = Authority()
        self.keys: dict[tuple[str, str], tuple[ClientKey, ...]] = self.scenario.make_keys()
        """The API keys by owner and product."""
        if random is None:
            random = Random(self.scenario.seed)  # noqa: S311 - nothing secret is drawn from it
        self.server: VenueServer = VenueServer(
            self.scenario.config(self.keys),
            self._authority.issue(),
            host=host,
            ports=ports,
            random=random,
            make_venue=VenueModel if input_log is None else input_log.open_venue,
        )

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.server.__exit__(*raised)

    @property
    def host(self) -> str:
        """Host for clients on this machine; the certificate is for loopback names."""
        return "127.0.0.1" if self.server.host == ALL_ADDRESSES else self.server.host

    @property
    def ca_pem(self) -> str:
        """The certificate that a client must trust."""
        return self._authority.certificate_pem.decode()

    def options(self, owner: str, product: Product, session: str, key: int = 0) -> VenueOptions:
        """Return the options of a client that connects to a session type with one of an owner's keys."""
        client_key = self.keys[owner, product][key]
        return {
            "product": product,
            "key_id": client_key.key_id,
            "private_key": client_key.private_key_pem,
            "host": self.host,
            "port": self.server.port(product, session),
            "tls": Tls(ca_data=self.ca_pem),
        }

    def write_files(self, folder: Path, owner: str) -> dict[str, list[tuple[str, Path]]]:
        """Write the CA and an owner's private keys into a folder.

        Returns, for each product, the ids of the keys, each with the file that contains the private key.

        Raises:
            OSError: the folder cannot be written, or already contains such files.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with self.ca_path(folder).open("x") as file:
            file.write(self.ca_pem)
        written: dict[str, list[tuple[str, Path]]] = {product: [] for product in PRODUCTS}
        for product, files in written.items():
            for number, key in enumerate(self.keys.get((owner, product), ()), 1):
                path = folder / f"{product}-{number}.pem"
                key.write(path)
                files.append((key.key_id, path))
        return written

    @staticmethod
    def ca_path(folder: Path) -> Path:
        """Return the path to which `write_files` writes the CA."""
        return folder / "ca.pem"

    def endpoints(self, product: str) -> str:
        """Return the addresses of all session types of a product, in the format of KALSHI_FIX_ENDPOINTS."""
        return ",".join(
            f"{session}={self.host}:{self.server.port(product, session)}"
            for other_product, session in all_ports()
            if other_product == product
        )
