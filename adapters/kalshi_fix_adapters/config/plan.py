"""The options of a client, and the plan of its connections, which is derived from them. Both are the same for
every event loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict, cast, get_args

import attrs

import kalshi_fix_sansio
from kalshi_fix_adapters.config.budget import RateBudget
from kalshi_fix_adapters.config.environment import (
    find_credentials,
    find_endpoint,
    find_security,
    has_other_endpoints,
)
from kalshi_fix_adapters.config.reconnect import Maintenance, ReconnectPolicy
from kalshi_fix_adapters.config.stores import Sync, stores_at
from kalshi_fix_adapters.events import Endpoint
from kalshi_fix_adapters.net.key_text import looks_like_key, safe_repr
from kalshi_fix_adapters.net.tls import InProcess, Plaintext, Security, Tls
from kalshi_fix_adapters.observe.observer import Observer
from kalshi_fix_adapters.observe.wire_log import WireLog
from kalshi_fix_adapters.stores.factory import StoreFactory
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio._generated.sessions import Environment, Product
from kalshi_fix_sansio.classes.hide_locals import hides_locals, init_hides_locals
from kalshi_fix_sansio.config import ProtocolOptions, ResendPolicy, Role, SessionConfig, copy_logon_fields
from kalshi_fix_sansio.dialect.base import values_of
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import MessageStore
from kalshi_fix_sansio.signing import Signer

QUEUE_LIMIT = 10_000
"""Number of waiting events at which the client stops reading; it still processes the data already read."""
QUEUE_BYTES = 64 * 1024 * 1024
"""Number of bytes of waiting messages, in their wire format, at which the client stops reading."""
Observers = Observer | Iterable[Observer]


@attrs.frozen
class ConnectionPlan:
    """Address, TLS, Logon and reconnection of a client."""

    endpoint: Endpoint
    security: Security
    config: SessionConfig
    timeout: float
    """Maximum time in seconds for each of connecting, the Logon and the Logout."""
    environment: str = "demo"
    """The environment of the API key, regardless of the endpoint."""
    reconnect: ReconnectPolicy | None = attrs.field(factory=ReconnectPolicy)
    """When to reconnect; None to make only one connection."""
    store: MessageStore | StoreFactory | None = None
    """The store of numbers and messages: an open store, a factory that opens one, or None for memory."""
    account: str | None = None
    """Name of the store; None to name it after the key's id."""
    reset_seq_num: bool = False
    """Whether the first logon resets the sequence numbers of KalshiRT or KalshiPT, regardless of the numbers
    in the store.
    """
    shapes: Path | None = None
    """The file with the known shapes of the venue's messages, see `Options`; None for the file next to the
    store's file, if the store is a file.
    """
    freeze: bool = False
    queue_limit: int = QUEUE_LIMIT
    queue_bytes: int = QUEUE_BYTES
    observer: Observers | None = attrs.field(default=None, repr=False)
    wire_log: WireLog | str | Path | None = None
    budget: RateBudget | None = None
    explicit_confirm: bool = False

    @property
    def name(self) -> str:
        """The name of the client in logs."""
        return f"{self.config.session_type.name} {self.config.product}"

    def __str__(self) -> str:
        return f"{self.name} at {self.endpoint}"


class SessionSettings(TypedDict, total=False):
    """Settings that a client passes to its sessions; `SessionConfig` describes them."""

    accepted_sender_comp_ids: Iterable[str]
    commit_timeout: float
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


class Options(TypedDict, total=False):
    """The keyword arguments of every client. An omitted argument is taken from the first of these that
    defines it: `config`, the environment variables, the defaults.

    Attributes:
        product: `prediction` (default) or `margin`.
        environment: `demo` (default) or `production`.
        key_id: Id of the API key, a UUID. Default: KALSHI_KEY_ID (or KALSHI_PERPS_KEY_ID for margin).
        private_key: The private key, as PEM text or an already loaded key. Default: KALSHI_PRIVATE_KEY.
        private_key_path: File with the private key. Default: KALSHI_PRIVATE_KEY_PATH.
        passphrase: Passphrase of an encrypted private key. Default: KALSHI_PRIVATE_KEY_PASSPHRASE.
        host: Host to connect to instead of Kalshi's.
        port: Port of `host`. Default: Kalshi's port for the session type.
        tls: Trusted certificates, see `kalshi_fix_adapters.net.tls`.
        heart_bt_int: HeartBtInt (108) in seconds; 30 by default.
        logon_fields: Flags of the Logon, such as `LogonFields(cancel_orders_on_disconnect=True)`. UseDollars
            is set for prediction by default.
        timeout: Maximum time in seconds for each of connecting, the Logon and the Logout; 10 by default.
        reconnect: When to reconnect after a lost connection; None for never.
        store: Where the state of the session is kept across processes. Possible values: a folder (with a file
            for each account and session type), the URL of another kind of store, a `StoreFactory`, or a store
            object that you open and close. Default: memory. With the default, KalshiRT and KalshiPT keep
            their sequence numbers across the connections of one client, and reset them in the next process.
        account: Name of the store in `store`, so that the store stays the same when the API key changes. Each
            client of a session type needs a different name. Default: the key's id.
        sync: Durability of the files of `store`: `full` (default) or `normal`, see
            `store_sqlite.SqliteStore`.
        reset_seq_num: Reset the numbers of KalshiRT or KalshiPT at the first logon, regardless of the numbers
            in the store.
        shapes: File with the known shapes (sequences of tags) of the venue's messages. Decoders for these
            shapes are compiled during the first logon. Default: a file next to the session's file in the
            folder `store`, or none.
        freeze: Collect garbage only when no bytes have been received for a few milliseconds, and exempt the
            objects that exist at that time from later collections; off by default. Applies to the whole
            process, see docs/performance.md.
        queue_limit: Number of waiting events at which the client stops reading; 10,000 by default.
        queue_bytes: Size of the waiting messages, in their wire format, at which the client stops reading; 64
            MiB by default.
        max_message_size: Largest BodyLength (9) accepted from the venue, in bytes; a larger message is
            skipped (`MessageTooLarge`). Default: the maximum of the session type, 2 MiB on KalshiMD and 256
            KiB elsewhere.
        session: Settings of the sessions that differ from the defaults, such as `{"strict": True,
            "resend_policy": ResendFresh(max_age=1.0)}`.
        explicit_confirm: Confirm events only with `client.confirm(event)`. By default, taking the next event
            confirms the previous one.
        observer: Object that is notified of bytes, states, events and timings, see
            `kalshi_fix_adapters.observe.observer`.
        wire_log: Log that records every message, see `kalshi_fix_adapters.observe.wire_log`.
        budget: The rate limits of the account, a `RateBudget` from `kalshi_fix_sansio.trading`; messages wait
            until it has tokens for them. All clients of one account and product must share one budget.
    """

    product: Product
    environment: Environment
    key_id: str | None
    private_key: Signer | str | bytes | None
    private_key_path: str | Path | None
    passphrase: str | None
    host: str | None
    port: int | None
    tls: Security | None
    heart_bt_int: int
    logon_fields: kalshi_fix_sansio.LogonFields
    timeout: float
    reconnect: ReconnectPolicy | None
    store: MessageStore | StoreFactory | str | Path | None
    account: str | None
    sync: Sync
    reset_seq_num: bool
    shapes: str | Path | None
    freeze: bool
    queue_limit: int
    queue_bytes: int
    max_message_size: int | None
    session: SessionSettings
    explicit_confirm: bool
    observer: Observers | None
    wire_log: WireLog | str | Path | None
    budget: RateBudget | None


def _check_positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    del instance
    if value is not None and not value > 0:
        raise ConfigurationError(f"{attribute.name} must be above 0, not {value!r}")


def _empty_logon_fields() -> kalshi_fix_sansio.LogonFields:
    # Accessed through the package, which imports messages when one is first used.
    return kalshi_fix_sansio.LogonFields()


def _copy_logon_fields(fields: kalshi_fix_sansio.LogonFields) -> kalshi_fix_sansio.LogonFields:
    return cast("kalshi_fix_sansio.LogonFields", copy_logon_fields(fields, DIALECT) or _empty_logon_fields())


def _session_settings(settings: Mapping[str, Any]) -> SessionSettings:
    known = SessionSettings.__annotations__
    for name in settings:
        if name not in known:
            raise ConfigurationError(
                f"there is no setting {safe_repr(name)} for a client's session; choose one of "
                f"{', '.join(sorted(known))}"
            )
    return cast("SessionSettings", dict(settings))


def _check_name(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    del instance
    if value is not None and (not value or not value.isprintable() or looks_like_key(value)):
        raise ConfigurationError(f"{attribute.name} must be a short name, not {safe_repr(value)}")


def _check_sync(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    del instance, attribute
    if value not in get_args(Sync):
        raise ConfigurationError(f"sync must be {' or '.join(get_args(Sync))}, not {value!r}")


def _check_tls(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    del instance, attribute
    # An SSLContext without verification, or False, must not be mistaken for the default.
    if not (value is None or isinstance(value, Tls | Plaintext | InProcess)):
        raise ConfigurationError(
            "tls must be a Tls, a Plaintext, an InProcess or None, from kalshi_fix_adapters.net.tls, "
            f"not {type(value).__name__}"
        )


@init_hides_locals
@attrs.frozen(kw_only=True)
class ClientConfig:
    """The settings of `Options`, as a value that several clients can share."""

    product: Product = "prediction"
    environment: Environment = "demo"
    key_id: str | None = None
    private_key: Signer | str | bytes | None = attrs.field(default=None, repr=False)
    private_key_path: str | Path | None = attrs.field(default=None, repr=safe_repr)
    passphrase: str | None = attrs.field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    tls: Security | None = attrs.field(default=None, validator=_check_tls)
    heart_bt_int: int = 30
    logon_fields: kalshi_fix_sansio.LogonFields = attrs.field(
        factory=_empty_logon_fields, converter=_copy_logon_fields
    )
    timeout: float = attrs.field(default=10.0, validator=_check_positive)
    reconnect: ReconnectPolicy | None = attrs.field(factory=ReconnectPolicy)
    store: MessageStore | StoreFactory | str | Path | None = None
    account: str | None = attrs.field(default=None, validator=_check_name)
    sync: Sync = attrs.field(default="full", validator=_check_sync)
    reset_seq_num: bool = False
    shapes: str | Path | None = None
    freeze: bool = False
    queue_limit: int = attrs.field(default=QUEUE_LIMIT, validator=_check_positive)
    queue_bytes: int = attrs.field(default=QUEUE_BYTES, validator=_check_positive)
    max_message_size: int | None = attrs.field(default=None, validator=_check_positive)
    session: SessionSettings = attrs.field(factory=SessionSettings, converter=_session_settings)
    explicit_confirm: bool = False
    observer: Observers | None = attrs.field(default=None, repr=False)
    wire_log: WireLog | str | Path | None = None
    budget: RateBudget | None = None


_ENVIRONMENT_SETTINGS = ("key_id", "private_key", "private_key_path", "passphrase", "host", "port", "tls")
"""Settings that belong to one product and environment."""


@hides_locals
def merge(config: ClientConfig | None, options: Options) -> ClientConfig:
    """Return the settings of a config with the options applied.

    Raises:
        ConfigurationError: the config has a key or an address, and the options select another product
            or environment.
    """
    if config is None:
        return ClientConfig(**options)
    merged = attrs.evolve(config, **options)
    if (merged.product, merged.environment) != (config.product, config.environment):
        for name in _ENVIRONMENT_SETTINGS:
            setting = getattr(merged, name)
            # Compared by identity, because an equal value that the options set explicitly is meant for the
            # new environment.
            if setting is not None and setting is getattr(config, name):
                raise ConfigurationError(
                    f"{name} of this config is for {config.product} in {config.environment}, not for "
                    f"{merged.product} in {merged.environment}; create a separate config for that"
                )
    return merged


@hides_locals
def make_plan(session: str, config: ClientConfig) -> ConnectionPlan:
    """Return the plan for a client of a session type, such as KalshiNR.

    Prices are in dollars (UseDollars) unless `logon_fields` disables it.

    Raises:
        ConfigurationError: a setting is missing or contradicts another.
        KeyFileError: the private key cannot be read or used.
    """
    if config.budget is not None and config.budget.product != config.product:
        raise ConfigurationError(
            f"the budget is for {config.budget.product}, and the client for {config.product}; each product "
            "needs a separate budget"
        )
    store = config.store
    if isinstance(store, str | Path):
        store = stores_at(store, sync=config.sync)
    if config.account is not None and not isinstance(store, StoreFactory):
        raise ConfigurationError("the option `account` requires the option `store`; set `store` too")
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
    # For prediction, prices are in dollars only if the Logon requests it; for margin, they always are.
    logon_fields = _empty_logon_fields()
    if config.product == "prediction":
        logon_fields.use_dollars = True
    session_config = SessionConfig(
        role=Role.INITIATOR,
        dialect=DIALECT,
        codec=CODEC,
        session_type=session_type,
        product=config.product,
        sender_comp_id=credentials.key_id,
        # Kalshi requires the session type as TargetCompID (56), and the API key's id as SenderCompID (49).
        target_comp_id=session_type.name,
        heart_bt_int=config.heart_bt_int,
        logon_fields=attrs.evolve(logon_fields, **values_of(config.logon_fields)),
        sign_logon=credentials.signer.sign_logon,
        logon_timeout=config.timeout,
        logout_timeout=config.timeout,
        **cast("dict[str, Any]", config.session),
    )
    # None means the default of SessionConfig, so the option is passed only if it is set.
    if config.max_message_size is not None:
        session_config = attrs.evolve(session_config, max_message_size=config.max_message_size)
    plan_fields = attrs.fields_dict(ConnectionPlan)
    settings = attrs.asdict(config, recurse=False, filter=lambda field, _: field.name in plan_fields)
    settings |= {"store": store, "shapes": None if config.shapes is None else Path(config.shapes)}
    reconnect = config.reconnect
    if (
        reconnect is not None
        and reconnect.maintenance == Maintenance()
        and config.host is None
        and has_other_endpoints(config.product, config.environment)
    ):
        # The default maintenance times are Kalshi's. The other endpoints may be those of a simulated venue,
        # which can be reached at any time.
        settings["reconnect"] = attrs.evolve(reconnect, maintenance=None)
    return ConnectionPlan(endpoint, security, session_config, **settings)
