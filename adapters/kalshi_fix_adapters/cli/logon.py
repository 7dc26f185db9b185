"""`kalshi-fix logon`: whether key, clock, network and permission are right, without trading."""

from __future__ import annotations

from pathlib import Path

import click

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.cli.failures import told_plainly
from kalshi_fix_adapters.config.plan import ClientConfig, make_plan
from kalshi_fix_adapters.net.tls import Plaintext, Security, Tls
from kalshi_fix_sansio import ENVIRONMENTS, PRODUCTS, SESSION_TYPES
from kalshi_fix_sansio._generated.sessions import Environment, Product


@click.command()
@click.option("--session", type=click.Choice(list(SESSION_TYPES)), default="KalshiNR", show_default=True)
@click.option("--product", type=click.Choice(list(PRODUCTS)), default="prediction", show_default=True)
@click.option("--environment", type=click.Choice(ENVIRONMENTS), default="demo", show_default=True)
@click.option("--host", help="Connect here instead of to Kalshi's own host.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: the session type's.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="PEM file with the CA to trust.")
@click.option("--pin", help="SHA-256 of the venue's certificate, or a PEM file with it.")
@click.option("--server-name", help="The name in the venue's certificate, if it is not the host.")
@click.option("--plaintext", is_flag=True, help="No TLS: for a TLS proxy on this machine.")
@click.option("--timeout", type=float, default=10.0, show_default=True, help="Seconds for each step.")
def logon(
    session: str,
    product: Product,
    environment: Environment,
    host: str | None,
    port: int | None,
    ca_file: Path | None,
    pin: str | None,
    server_name: str | None,
    plaintext: bool,
    timeout: float,
) -> None:
    """Log on with the API key of the environment variables, say what the venue answers, and log out.

    KALSHI_KEY_ID, KALSHI_PRIVATE_KEY or KALSHI_PRIVATE_KEY_PATH, KALSHI_PRIVATE_KEY_PASSPHRASE; for
    margin they begin with KALSHI_PERPS_.
    """
    if plaintext and (ca_file or pin or server_name):
        raise click.UsageError("--plaintext goes without --ca-file, --pin and --server-name")
    with told_plainly():
        plan = make_plan(
            session,
            ClientConfig(
                product=product,
                environment=environment,
                host=host,
                port=port,
                tls=_security(ca_file, pin, server_name, plaintext),
                timeout=timeout,
                reconnect=None,
            ),
        )
        with Client(plan) as client:
            agreed = client.logged_on
        seconds = "" if agreed is None else f", HeartBtInt {agreed.heart_bt_int} seconds"
        click.echo(
            f"logged on to {session} ({product}) at {plan.endpoint} as {plan.config.sender_comp_id}{seconds}"
        )
        ended = client.ended
        click.echo("logged out" if ended is None or ended.clean else f"the session ended: {ended.text}")


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
