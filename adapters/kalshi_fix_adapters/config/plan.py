"""The options of a client, and what follows from them for its connections; the same for every event loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict, cast, get_args

import attrs

import kalshi_fix_sansio
from kalshi_fix_adapters.config.budget import Budget
from kalshi_fix_adapters.config.environment import find_credentials, find_endpoint, find_security
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.net.endpoint import Endpoint
from kalshi_fix_adapters.net.key_text import shown
from kalshi_fix_adapters.net.tls import InProcess, Plaintext, Security, Tls
from kalshi_fix_adapters.observe.observer import Observer
from kalshi_fix_adapters.observe.wire_log import WireLog
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio._generated.sessions import Environment, Product
from kalshi_fix_sansio.base import values_of
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.config import Role, SessionConfig, own_logon_fields
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.protocol_options import ProtocolOptions
from kalshi_fix_sansio.resend_policy import ResendPolicy
from kalshi_fix_sansio.session import MessageStore
from kalshi_fix_sansio.signing import Signer

QUEUE_LIMIT = 10_000
"""Events that may wait for the user before the client stops reading (it then finishes the chunk it has)."""
QUEUE_BYTES = 64 * 1024 * 1024
"""Bytes of messages, as on the wire, that may wait for the user before the client stops reading."""
Sync = Literal["full", "normal"]
Observers = Observer | Iterable[Observer]


@attrs.frozen
class ConnectionPlan:
    """Where a client connects, whom it trusts there, how it logs on, and what it does between connections."""

    endpoint: Endpoint
    security: Security
    config: SessionConfig
    timeout: float
    """Seconds for connecting, for the Logon and for the Logout, each."""
    environment: str = "demo"
    """Which one the API key belongs to, wherever the endpoint is."""
    reconnect: ReconnectPolicy | None = attrs.field(factory=ReconnectPolicy)
    """None: one connection only."""
    store: MessageStore | Path | None = None
    """Numbers and messages of a session with resend: an object, a folder with files of them, or None for
    memory."""
    sync: Sync = "full"
    reset_seq_num: bool = False
    """Whether the first logon restarts the numbers of a session with resend whatever the store says."""
    queue_limit: int = QUEUE_LIMIT
    queue_bytes: int = QUEUE_BYTES
    observer: Observers | None = attrs.field(default=None, repr=False)
    wire_log: WireLog | str | Path | None = None
    budget: Budget | None = None

    @property
    def name(self) -> str:
        """What the client is called in logs."""
        return f"{self.config.session_type.name} {self.config.product}"

    def __str__(self) -> str:
        return f"{self.name} at {self.endpoint}"


class SessionSettings(TypedDict, total=False):
    """What a client leaves to its sessions, by the names of `SessionConfig`, where each is described."""

    accepted_sender_comp_ids: Iterable[str]
    protocol_options: ProtocolOptions
    max_event_bytes: int
    max_events: int
    max_held: int
    max_held_bytes: int
    max_open_request_bytes: int
    max_open_requests: int
    max_resting_order_bytes: int
    max_resting_orders: int
    max_sent_record: int
    max_sent_record_bytes: int
    max_unsent: int
    offer_next_expected: bool
    offer_next_expected_at_reset: bool
    resend_attempts: int
    resend_policy: ResendPolicy
    resend_timeout: float
    send_last_processed: bool
    sending_time_tolerance: float | None
    strict: bool


explained(SessionSettings, like=SessionConfig)


@explained
class Options(TypedDict, total=False):
    """The keyword arguments of every client. What is left out comes from its `config`, then from the
    environment's variables, then from the defaults."""

    product: Product
    """`prediction` (default) or `margin`."""
    environment: Environment
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
    """Port of `host`. Default: Kalshi's own for the session type."""
    tls: Security | None
    """Whom to trust, see `kalshi_fix_adapters.net.tls`."""
    heart_bt_int: int
    """HeartBtInt (108) in seconds; 30 by default."""
    logon_fields: kalshi_fix_sansio.LogonFields
    """Flags of the Logon, such as `LogonFields(cancel_orders_on_disconnect=True)`. UseDollars is on for
    prediction unless this says otherwise."""
    timeout: float
    """Seconds for connecting, for the Logon and for the Logout, each; 10 by default."""
    reconnect: ReconnectPolicy | None
    """When to connect again after a connection was lost; None for never."""
    store: MessageStore | str | Path | None
    """What outlives the process: a folder, in which each account and session type has a file, or a store of
    your own. Default: memory, with which KalshiRT and KalshiPT go on over the connections of one client, and
    restart their numbers with the next process."""
    sync: Sync
    """How safe the files of `store` are: `full` (default) or `normal`, see `store_sqlite.SqliteStore`."""
    reset_seq_num: bool
    """Restart the numbers of KalshiRT or KalshiPT at the first logon, whatever the store says."""
    queue_limit: int
    """Events that may wait for you before the client stops reading; 10,000 by default."""
    queue_bytes: int
    """Bytes of messages, as they stood on the wire, that may wait for you before the client stops reading;
    64 MiB by default."""
    max_message_size: int | None
    """Longest BodyLength (9) that is accepted from the venue, in bytes; a longer message is skipped
    (`MessageTooLarge`). Default: what the session type needs, 2 MiB on KalshiMD and 256 KiB elsewhere."""
    session: SessionSettings
    """How its sessions behave and what they keep, where that is to be another than by default:
    `{"strict": True, "resend_policy": ResendFresh(max_age=1.0)}`."""
    observer: Observers | None
    """Is told of bytes, states, events and timings, see `kalshi_fix_adapters.observe.observer`."""
    wire_log: WireLog | str | Path | None
    """Where every message is written down, see `kalshi_fix_adapters.observe.wire_log`."""
    budget: Budget | None
    """What the venue's rate limits leave to the account, a `RateBudget` of `kalshi_fix_sansio.trading`:
    messages wait until it covers them. All clients of one account on one product share one."""


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    del instance
    if value is not None and not value > 0:
        raise ConfigurationError(f"{attribute.name} must be above 0, not {value!r}")


def _no_logon_fields() -> kalshi_fix_sansio.LogonFields:
    # By way of the package: messages are imported when one is first asked for.
    return kalshi_fix_sansio.LogonFields()


def _own_logon_fields(fields: kalshi_fix_sansio.LogonFields) -> kalshi_fix_sansio.LogonFields:
    return cast("kalshi_fix_sansio.LogonFields", own_logon_fields(fields, DIALECT) or _no_logon_fields())


def _session_settings(settings: Mapping[str, Any]) -> SessionSettings:
    known = SessionSettings.__annotations__
    for name in settings:
        if name not in known:
            raise ConfigurationError(
                f"there is no setting {shown(name)} for the session of a client; there are "
                f"{', '.join(sorted(known))}"
            )
    return cast("SessionSettings", dict(settings))


def _known_sync(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    del instance, attribute
    if value not in get_args(Sync):
        raise ConfigurationError(f"sync must be {' or '.join(get_args(Sync))}, not {value!r}")


def _known_security(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    del instance, attribute
    # An SSLContext that verifies nothing, or False, must not pass for "as it is by default".
    if not (value is None or isinstance(value, Tls | Plaintext | InProcess)):
        raise ConfigurationError(
            "tls must be a Tls, a Plaintext, an InProcess or None, of kalshi_fix_adapters.net.tls, "
            f"not {type(value).__name__}"
        )


@attrs.frozen(kw_only=True)
class ClientConfig:
    """The same settings as `Options`, as a value that several clients can share; they are described there."""

    product: Product = "prediction"
    environment: Environment = "demo"
    key_id: str | None = None
    private_key: Signer | str | bytes | None = attrs.field(default=None, repr=False)
    private_key_path: str | Path | None = attrs.field(default=None, repr=shown)
    passphrase: str | None = attrs.field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    tls: Security | None = attrs.field(default=None, validator=_known_security)
    heart_bt_int: int = 30
    logon_fields: kalshi_fix_sansio.LogonFields = attrs.field(
        factory=_no_logon_fields, converter=_own_logon_fields
    )
    timeout: float = attrs.field(default=10.0, validator=_positive)
    reconnect: ReconnectPolicy | None = attrs.field(factory=ReconnectPolicy)
    store: MessageStore | str | Path | None = None
    sync: Sync = attrs.field(default="full", validator=_known_sync)
    reset_seq_num: bool = False
    queue_limit: int = attrs.field(default=QUEUE_LIMIT, validator=_positive)
    queue_bytes: int = attrs.field(default=QUEUE_BYTES, validator=_positive)
    max_message_size: int | None = attrs.field(default=None, validator=_positive)
    session: SessionSettings = attrs.field(factory=SessionSettings, converter=_session_settings)
    observer: Observers | None = attrs.field(default=None, repr=False)
    wire_log: WireLog | str | Path | None = None
    budget: Budget | None = None


explained(ClientConfig, like=Options)
_BOUND = ("key_id", "private_key", "private_key_path", "passphrase", "host", "port", "tls")
"""What belongs to one product and environment."""


def merge(config: ClientConfig | None, options: Options) -> ClientConfig:
    """Return the settings of a config with some of them changed.

    Raises:
        ConfigurationError: the config has a key or an address, and the options take them to another product
            or environment.
    """
    if config is None:
        return ClientConfig(**options)
    merged = attrs.evolve(config, **options)
    if (merged.product, merged.environment) != (config.product, config.environment):
        for name in _BOUND:
            kept = getattr(merged, name)
            # By identity: an equal value that the options name anew is meant for the other place.
            if kept is not None and kept is getattr(config, name):
                raise ConfigurationError(
                    f"{name} of this config is for {config.product} in {config.environment}, not for "
                    f"{merged.product} in {merged.environment}; make a config of its own for that"
                )
    return merged


def make_plan(session: str, config: ClientConfig) -> ConnectionPlan:
    """Work out what a client of a session type, such as KalshiNR, does.

    Prices are in dollars (UseDollars) unless `logon_fields` says otherwise.

    Raises:
        ConfigurationError: a setting is missing or contradicts another.
        KeyFileError: the private key cannot be read or used.
    """
    if config.budget is not None and config.budget.product != config.product:
        raise ConfigurationError(
            f"the budget is for {config.budget.product}, and the client for {config.product}; each product "
            "has budgets of its own"
        )
    session_type = DIALECT.session_types[session]
    endpoint = find_endpoint(
        config.product, config.environment, session_type, host=config.host, port=config.port
    )
    security = config.tls if config.tls is not None else find_security(config.product, config.environment)
    credentials = find_credentials(
        config.product,
        key_id=config.key_id,
        private_key=config.private_key,
        private_key_path=config.private_key_path,
        passphrase=config.passphrase,
    )
    # Prices come in dollars on prediction only if that is asked for; margin knows no other unit.
    logon_fields = _no_logon_fields()
    if config.product == "prediction":
        logon_fields.use_dollars = True
    session_config = SessionConfig(
        role=Role.INITIATOR,
        dialect=DIALECT,
        codec=CODEC,
        session_type=session_type,
        product=config.product,
        sender_comp_id=credentials.key_id,
        # Kalshi names the session type by TargetCompID (56); SenderCompID (49) is the API key's id.
        target_comp_id=session_type.name,
        heart_bt_int=config.heart_bt_int,
        logon_fields=attrs.evolve(logon_fields, **values_of(config.logon_fields)),
        sign_logon=credentials.signer.sign_logon,
        logon_timeout=config.timeout,
        logout_timeout=config.timeout,
        **cast("dict[str, Any]", config.session),
    )
    # Not passed above: None stands for what the session type needs, which is the default of SessionConfig.
    if config.max_message_size is not None:
        session_config = attrs.evolve(session_config, max_message_size=config.max_message_size)
    return ConnectionPlan(
        endpoint,
        security,
        session_config,
        config.timeout,
        environment=config.environment,
        reconnect=config.reconnect,
        store=Path(config.store) if isinstance(config.store, str) else config.store,
        sync=config.sync,
        reset_seq_num=config.reset_seq_num,
        queue_limit=config.queue_limit,
        queue_bytes=config.queue_bytes,
        observer=config.observer,
        wire_log=config.wire_log,
        budget=config.budget,
    )
