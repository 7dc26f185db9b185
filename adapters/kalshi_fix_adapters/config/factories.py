"""The functions that create a client of each session type, for asyncio, trio and blocking clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, Unpack

import attrs

import kalshi_fix_sansio
from kalshi_fix_adapters.config.plan import ClientConfig, ConnectionPlan, Options, make_plan, merge
from kalshi_fix_sansio.classes.hide_locals import hides_locals
from kalshi_fix_sansio.dialect.base import values_of

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)


class OrderEntryFactory(Protocol[C_co]):
    """The signature of `Factories.order_entry`."""

    def __call__(
        self,
        *,
        retransmission: bool = False,
        listener: bool = False,
        config: ClientConfig | None = None,
        **options: Unpack[Options],
    ) -> C_co:
        """Return a client for KalshiNR, or KalshiRT with `retransmission`."""


class ClientFactory(Protocol[C_co]):
    """The signature of the other methods of `Factories`."""

    def __call__(self, *, config: ClientConfig | None = None, **options: Unpack[Options]) -> C_co:
        """Return a client for one session type."""


class Factories(Generic[C]):
    """Creates clients of one kind: asyncio, trio or blocking. A client connects when it is opened.

    Every method raises ConfigurationError if a setting is missing or contradicts another, and its subclass
    KeyFileError if the private key file cannot be used.
    """

    def __init__(self, client: Callable[[ConnectionPlan], C]) -> None:
        """Store the function that creates a client from its plan."""
        self._client = client

    @hides_locals
    def order_entry(
        self,
        *,
        retransmission: bool = False,
        listener: bool = False,
        config: ClientConfig | None = None,
        **options: Unpack[Options],
    ) -> C:
        """Return a client for orders: KalshiNR, or KalshiRT with `retransmission`.

        Args:
            retransmission: use KalshiRT, which resends missed messages and also has RFQs and settlement
                reports.
            listener: get a read-only feed of the account's execution reports; requires a separate API key.
            config: shared settings.
            **options: see `Options`.
        """
        fields = None
        if listener:
            fields = kalshi_fix_sansio.LogonFields(listener_session=True, skip_pending_exec_reports=True)
        return self._make("orders", config, options, fields, resend=retransmission)

    @hides_locals
    def drop_copy(self, *, config: ClientConfig | None = None, **options: Unpack[Options]) -> C:
        """Return a client for KalshiDC, to request past execution reports."""
        return self._make("drop_copy", config, options)

    @hides_locals
    def market_data(self, *, config: ClientConfig | None = None, **options: Unpack[Options]) -> C:
        """Return a client for KalshiMD, to receive books, trades and trading status."""
        return self._make("market_data", config, options)

    @hides_locals
    def post_trade(self, *, config: ClientConfig | None = None, **options: Unpack[Options]) -> C:
        """Return a client for KalshiPT, to receive settlement reports (prediction only)."""
        return self._make("settlement", config, options)

    @hides_locals
    def rfq(self, *, config: ClientConfig | None = None, **options: Unpack[Options]) -> C:
        """Return a client for KalshiRFQ, for market makers that answer RFQs (prediction only)."""
        return self._make("rfq", config, options)

    def _make(
        self,
        service: str,
        config: ClientConfig | None,
        options: Options,
        logon_fields: kalshi_fix_sansio.LogonFields | None = None,
        *,
        resend: bool | None = None,
    ) -> C:
        merged = merge(config, options)
        if logon_fields is not None:
            fields = attrs.evolve(logon_fields, **values_of(merged.logon_fields))
            merged = attrs.evolve(merged, logon_fields=fields)
        session_type = kalshi_fix_sansio.DIALECT.session_type_for(service, resend=resend)
        return self._client(make_plan(session_type.name, merged))
