"""`kalshi-fix doctor`: checks the key, network, certificate, clock and permissions, without trading."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from datetime import UTC, datetime

import attrs
import click
from cryptography.x509 import load_der_x509_certificate

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.cli.kit.failures import converting_errors
from kalshi_fix_adapters.cli.kit.steps import print_step, step
from kalshi_fix_adapters.cli.kit.terminal import pluralize
from kalshi_fix_adapters.cli.kit.values import choice_option
from kalshi_fix_adapters.cli.sessions.order_entry import SESSION
from kalshi_fix_adapters.cli.sessions.system_clock import read_synchronization
from kalshi_fix_adapters.cli.sessions.target import Target, target_options
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.errors import CertificateRejectedError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_adapters.net.dial import open_socket
from kalshi_fix_adapters.net.tls import Plaintext
from kalshi_fix_adapters.observe.observer import Observer
from kalshi_fix_sansio import SESSION_TYPES, Instant
from kalshi_fix_sansio.events import LoggedOn

CLOCK_MARGIN = 0.5
"""A warning is printed if the clocks differ by at least this fraction of the tolerance for SendingTime."""
EXPIRY_MARGIN = 3
"""A warning is printed if the venue's certificate expires within this number of days."""


@click.command()
@choice_option("--session", choices=SESSION_TYPES, default=SESSION, text="Session type to log on to.")
@target_options
def doctor(session: str, target: Target) -> None:
    """Check step by step that you can log on, and print the remedy for a step that fails.

    The API key is read from KALSHI_KEY_ID, KALSHI_PRIVATE_KEY or KALSHI_PRIVATE_KEY_PATH, and
    KALSHI_PRIVATE_KEY_PASSPHRASE; for margin the prefix is KALSHI_PERPS_ instead of KALSHI_. No order is
    sent.
    """
    clocks = _ClockComparison()
    with converting_errors():
        with step("key"):
            plan = target.plan(session, reconnect=None, observer=clocks)
        print_step("key", "ok", f"{plan.config.sender_comp_id}, for {plan}")
        _check_synchronization()
        _check_network(plan)
        with step("logon"), Client(plan) as client:
            logged_on = client.logged_on
            print_step(
                "logon", "ok", "" if logged_on is None else f"HeartBtInt {logged_on.heart_bt_int} seconds"
            )
            _compare_clocks(clocks.offset, plan.config.sending_time_tolerance)
        ended = client.ended
        clean = ended is None or ended.clean
        print_step("logout", "ok" if clean else "warning", "" if clean or ended is None else ended.text)


def _check_synchronization() -> None:
    synchronization = read_synchronization()
    if synchronization is None:
        print_step("NTP", "unknown", "this system does not report whether its clock is synchronized")
    elif synchronization.synchronized:
        print_step("NTP", "ok", f"synchronized, at most {synchronization.max_error:.3f} s off")
    else:
        print_step("NTP", "warning", "the clock is not synchronized; run chrony or systemd-timesyncd")


@attrs.define
class _ClockComparison(Observer):
    """The difference between the clocks, measured at the logon."""

    offset: float = 0.0
    """Number of seconds by which the clock of this machine is ahead of the venue's clock."""

    def on_event(self, event: ClientEvent, now: Instant) -> None:
        """Compare the venue's SendingTime with the time at which its Logon was received."""
        if isinstance(event, LoggedOn) and event.logon.header.sending_time is not None:
            self.offset = (now.utc - event.logon.header.sending_time).total_seconds()


def _check_network(plan: ConnectionPlan) -> None:
    """Check the host, the connection and the certificate separately.

    Without TLS only the host is checked here; the logon tests the connection later.
    """
    host, port = plan.endpoint.host, plan.endpoint.port
    started, step_name = time.monotonic(), "address"
    connected_at: list[float] = []
    # An error is ignored here: the next step looks up the host again, and raises an exception for the user.
    with contextlib.suppress(OSError):
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        print_step("address", "ok", ", ".join(dict.fromkeys(str(each[4][0]) for each in addresses)))
        started, step_name = time.monotonic(), "TCP"
    if isinstance(plan.security, Plaintext):
        return
    try:
        with open_socket(
            host, port, plan.security, plan.timeout, on_tcp=lambda: connected_at.append(time.monotonic())
        ) as connection:
            print_step("TCP", "ok", _milliseconds(connected_at[0] - started))
            _print_tls(connection, time.monotonic() - connected_at[0])
    except CertificateRejectedError:
        print_step("TCP", "ok")
        print_step("certificate", "FAILED")
        raise
    except Exception:
        if connected_at:
            print_step("TCP", "ok", _milliseconds(connected_at[0] - started))
        print_step("TLS" if connected_at else step_name, "FAILED")
        raise


def _print_tls(connection: socket.socket, seconds: float) -> None:
    if not isinstance(connection, ssl.SSLSocket):
        return
    print_step("TLS", "ok", f"{connection.version()}, {_milliseconds(seconds)}")
    der = connection.getpeercert(binary_form=True)
    if der is None:
        return
    certificate = load_der_x509_certificate(der)
    days = (certificate.not_valid_after_utc - datetime.now(UTC)).days
    validity = f"until {certificate.not_valid_after_utc:%Y-%m-%d}, {pluralize(days, 'day')}"
    print_step("certificate", "ok" if days > EXPIRY_MARGIN else "warning", validity)


def _compare_clocks(offset: float, tolerance: float | None) -> None:
    direction = "ahead of" if offset > 0 else "behind"
    text = f"{abs(offset):.3f} s {direction} the venue's, including network delay"
    is_ok = tolerance is None or abs(offset) < tolerance * CLOCK_MARGIN
    advice = "" if is_ok else f"; synchronize it with NTP; at {tolerance:g} s or more, messages are rejected"
    print_step("clock", "ok" if is_ok else "warning", text + advice)


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"
