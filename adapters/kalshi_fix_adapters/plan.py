"""What a client of one session type needs to know before it connects; the same for every event loop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

import attrs

from kalshi_fix_adapters._pump import OnWire
from kalshi_fix_adapters.reconnect import ReconnectPolicy
from kalshi_fix_adapters.settings import Endpoint, find_credentials, find_endpoint, find_security
from kalshi_fix_adapters.tls import Security
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import MessageStore
from kalshi_fix_sansio.signing import Signer

QUEUE_LIMIT = 10_000
"""Events that may wait for the user before the client stops reading (it then finishes the chunk it has)."""
Sync = Literal["full", "normal"]


@attrs.frozen
class ConnectionPlan:
    """Where to connect, whom to trust there, how to log on, and what to do when the connection is lost."""

    endpoint: Endpoint
    security: Security
    config: SessionConfig
    timeout: float
    """Seconds for connecting, for the Logon and for the Logout, each."""
    reconnect: ReconnectPolicy | None = attrs.field(factory=ReconnectPolicy)
    """None: one connection only."""
    queue_limit: int = QUEUE_LIMIT
    store: MessageStore | str | Path | None = None
    sync: Sync = "full"
    reset_seq_num: bool = False
    on_wire: OnWire | None = attrs.field(default=None, repr=False)
    """Is told of all bytes as they pass."""


class Options(TypedDict, total=False):
    """The keyword arguments of every client; the environment's variables stand in for what is left out."""

    product: str
    """`prediction` (default) or `margin`."""
    environment: str
    """`demo` (default) or `production`."""
    key_id: str | None
    """Id of the API key, a UUID. Default: KALSHI_KEY_ID (or KALSHI_PERPS_KEY_ID for margin)."""
    private_key: Signer | str | bytes | None
    """The private key as PEM text, or loaded. Default: KALSHI_PRIVATE_KEY."""
    private_key_path: str | Path | None
    """File with the private key. Default: KALSHI_PRIVATE_KEY_PATH."""
    passphrase: str | None
    """For an encrypted private key. Default: KALSHI_PRIVATE_KEY_PASSPHRASE."""
    host: str | None
    """Connect here instead of to Kalshi's own host."""
    port: int | None
    tls: Security | None
    """Whom to trust, see `kalshi_fix_adapters.tls`."""
    heart_bt_int: int
    """HeartBtInt (108) in seconds; 30 by default."""
    logon_fields: Mapping[str, Any]
    """Further attributes of the Logon, such as `{"cancel_orders_on_disconnect": True}`. UseDollars is on for
    prediction unless this says otherwise."""
    timeout: float
    """Seconds for connecting, for the Logon and for the Logout, each; 10 by default."""


@attrs.frozen(kw_only=True)
class Choices:
    """`Options` with every default filled in."""

    product: str = "prediction"
    environment: str = "demo"
    key_id: str | None = None
    private_key: Signer | str | bytes | None = attrs.field(default=None, repr=False)
    private_key_path: str | Path | None = None
    passphrase: str | None = attrs.field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    tls: Security | None = None
    heart_bt_int: int = 30
    logon_fields: Mapping[str, Any] = attrs.field(factory=dict, converter=dict)
    timeout: float = 10.0


def make_plan(session: str, choices: Choices) -> ConnectionPlan:
    """Work out the connection to a session type, such as KalshiNR.

    Prices are in dollars (UseDollars, 21005) unless `logon_fields` says otherwise.

    Raises:
        ConfigurationError: a setting is missing or contradicts another.
        KeyFileError: the private key cannot be read or used.
    """
    if not choices.timeout > 0:
        raise ConfigurationError(f"timeout must be above 0 seconds, not {choices.timeout!r}")
    session_type = DIALECT.session_types[session]
    endpoint = find_endpoint(
        choices.product, choices.environment, session_type, host=choices.host, port=choices.port
    )
    security = choices.tls or find_security(choices.product, choices.environment)
    credentials = find_credentials(
        choices.product,
        key_id=choices.key_id,
        private_key=choices.private_key,
        private_key_path=choices.private_key_path,
        passphrase=choices.passphrase,
    )
    # Margin knows no other unit than dollars.
    logon_fields = {"use_dollars": True} if choices.product == "prediction" else {}
    config = SessionConfig(
        role=Role.INITIATOR,
        dialect=DIALECT,
        codec=CODEC,
        session_type=session_type,
        product=choices.product,
        sender_comp_id=credentials.key_id,
        target_comp_id=session_type.name,
        heart_bt_int=choices.heart_bt_int,
        logon_fields={**logon_fields, **choices.logon_fields},
        sign_logon=credentials.signer.sign_logon,
        logon_timeout=choices.timeout,
        logout_timeout=choices.timeout,
    )
    return ConnectionPlan(endpoint, security, config, choices.timeout)
