"""The connection options of subcommands: product, environment, address, trusted certificates."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import attrs
import click

from kalshi_fix_adapters.cli.kit.terminal import print_stderr, without_log_lines
from kalshi_fix_adapters.cli.kit.values import choice_option, option_group
from kalshi_fix_adapters.config.environment import KeyFileWarning
from kalshi_fix_adapters.config.plan import ClientConfig, ConnectionPlan, make_plan
from kalshi_fix_adapters.net.tls import Plaintext, Security, Tls
from kalshi_fix_sansio import ENVIRONMENTS, PRODUCTS
from kalshi_fix_sansio._generated.sessions import Environment, Product

_options = option_group(
    choice_option(
        "--product",
        choices=PRODUCTS,
        default="prediction",
        text="Event contracts (prediction), or perpetual futures (margin).",
    ),
    choice_option("--environment", choices=ENVIRONMENTS, default="demo", text="Kalshi's environment."),
    click.option("--host", help="Host to connect to, instead of Kalshi's."),
    click.option(
        "--port", type=click.IntRange(1, 65535), help="TCP port. Default: the port of the session type."
    ),
    click.option("--ca-file", type=click.Path(path_type=Path), help="PEM file with the CA to trust."),
    click.option("--pin", help="SHA-256 of the venue's certificate, or a PEM file with the certificate."),
    click.option("--server-name", help="The name in the venue's certificate, if it differs from the host."),
    click.option(
        "--plaintext", is_flag=True, help="Connect without TLS, for example to a TLS proxy on this machine."
    ),
    click.option(
        "--timeout", type=float, default=10.0, show_default=True, help="Timeout of each step in seconds."
    ),
)


@attrs.frozen
class Target:
    """The venue to connect to, and the timeout."""

    product: Product
    environment: Environment
    host: str | None
    port: int | None
    tls: Security | None
    timeout: float
    """The timeout in seconds."""

    def plan(self, session: str, **settings: Any) -> ConnectionPlan:
        """Return the plan of a client; `settings` are further settings of `ClientConfig`.

        Raises:
            ConfigurationError: a setting is missing or contradicts another.
            KeyFileError: the private key cannot be read or used.
        """
        # The attributes of this class have the same names as the settings of ClientConfig.
        config = ClientConfig(**attrs.asdict(self, recurse=False), **settings)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", KeyFileWarning)
            plan = make_plan(session, config)
        for each in caught:
            print_stderr(f"warning: {each.message}")
        return plan


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which receives a `Target` as the argument `target`."""

    @wraps(command)
    def with_target(
        *,
        product: Product,
        environment: Environment,
        host: str | None,
        port: int | None,
        ca_file: Path | None,
        pin: str | None,
        server_name: str | None,
        plaintext: bool,
        timeout: float,
        **others: Any,
    ) -> None:
        if plaintext and (ca_file or pin or server_name):
            raise click.UsageError("--plaintext cannot be used with --ca-file, --pin or --server-name")
        tls = _security(ca_file, pin, server_name, plaintext)
        with without_log_lines():
            command(target=Target(product, environment, host, port, tls, timeout), **others)

    return _options(with_target)


def _security(
    ca_file: Path | None, pin: str | None, server_name: str | None, plaintext: bool
) -> Security | None:
    if plaintext:
        return Plaintext()
    if not (ca_file or pin or server_name):
        return None
    pinned_file = Path(pin) if pin and Path(pin).exists() else None
    return Tls(
        ca_file=ca_file,
        pinned_file=pinned_file,
        pinned_sha256=None if pinned_file else pin,
        server_name=server_name,
    )
