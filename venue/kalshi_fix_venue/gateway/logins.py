"""Logins, one per API key and session type: they send requests and receive reports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from kalshi_fix_sansio._generated.limits import READING_SCOPES, TRADING_SCOPES
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.exchange import AccountId
from kalshi_fix_venue.exchange.outcomes import Outcome
from kalshi_fix_venue.gateway.flags import LogonFlags
from kalshi_fix_venue.index import Index

SCOPES = frozenset({READING_SCOPES[0], TRADING_SCOPES[0]})
"""Default scopes of a key."""


@attrs.define(kw_only=True, eq=False)
class KeyProperties:
    """The owner and the permissions of an API key."""

    owner: str
    """Owner of the key's account."""
    product: str
    """`prediction` or `margin`; keys are not shared between the two."""
    scopes: frozenset[str] = SCOPES
    """Orders need one of `TRADING_SCOPES`; `read` is enough for listeners and market data."""
    customers: frozenset[str] | None = None
    """The owner's customer accounts that the key may trade for and see, by PartyID; None for all."""
    restricted_to: int | None = None
    """The only subaccount that the key may act for and see; None for the whole account."""

    def properties(self) -> dict[str, Any]:
        """Return these properties as keyword arguments for the constructor of another subclass."""
        return {name: getattr(self, name) for name in attrs.fields_dict(KeyProperties)}


@attrs.define(kw_only=True, eq=False)
class Login(KeyProperties):
    """An API key on a session type. It outlives connections: its orders keep resting, and if the session type
    supports resend (such as KalshiRT), its reports are queued."""

    key_id: str
    session_type: str
    keeps_messages: bool
    """Whether messages sent while it is not connected are queued (the session type has resend)."""
    flags: LogonFlags = attrs.field(factory=LogonFlags)
    """The flags of its last Logon."""
    connection: int | None = None
    """The id of the logged-on connection, if any."""

    @property
    def origin(self) -> str:
        """The id of the login in the exchange model."""
        return f"{self.key_id}:{self.session_type}"

    @property
    def may_write(self) -> bool:
        """Whether the key's scopes allow orders."""
        return not self.scopes.isdisjoint(TRADING_SCOPES)

    @property
    def is_reachable(self) -> bool:
        """Whether messages to it can be delivered, now or later."""
        return self.connection is not None or self.keeps_messages

    def account(self, subaccount: int | None, shard: int = 0) -> AccountId:
        """Return the account that AllocAccount (79) names on a shard; 0 and an absent field select the
        primary account. For a key that is restricted to a subaccount, an absent field selects that
        subaccount."""
        if subaccount is None:
            subaccount = self.restricted_to
        return AccountId(self.owner, subaccount or 0, shard)

    def may_act_for(self, subaccount: int | None) -> bool:
        """Return whether the key may act for the subaccount that AllocAccount (79) names."""
        return self.restricted_to is None or subaccount in (None, self.restricted_to)

    def may_act_for_customer(self, party_id: str) -> bool:
        """Return whether the key may act for this customer account of its owner; empty means no customer."""
        return self.customers is None or not party_id or party_id in self.customers

    def may_see(self, account: AccountId) -> bool:
        """Return whether the key may receive reports about an account of its owner."""
        return self.may_act_for(account.subaccount) and self.may_act_for_customer(account.customer)


Delivery = tuple[Login, Message]
"""A message with the login of its recipient."""
Result = tuple[list[Delivery], Sequence[Outcome]]
"""The messages to deliver, in order, and the exchange's outcomes (for market data)."""
Handler = Callable[[Any, Login, datetime], Result]
"""The handler of an application message class."""
Handlers = Mapping[type[Message], Handler]
"""Handlers by message class. They need not check that the session type may send the message, because the
session has done so.
"""


@attrs.define(eq=False)
class Logins:
    """All logins of one product that have ever logged on."""

    _by_origin: dict[str, Login] = attrs.field(factory=dict)
    _connected: Index[str, Login] = attrs.field(factory=Index)
    """The logged-on logins by session type, in the order of their logons."""
    _listeners: Index[str, Login] = attrs.field(factory=Index)
    """The listeners by owner, in the order of their logons."""
    _by_owner: Index[str, Login] = attrs.field(factory=Index)

    def get(self, origin: str) -> Login | None:
        """Return the login with this origin, if it has ever logged on."""
        return self._by_origin.get(origin)

    def add(self, login: Login) -> None:
        """Add a login that logs on for the first time."""
        self._by_origin[login.origin] = login
        self._by_owner.add(login.owner, login)

    def logins_of_owner(self, owner: str) -> Sequence[Login]:
        """Return the logins of an owner, in the order of their first logons."""
        return self._by_owner[owner]

    def start_session(self, login: Login, flags: LogonFlags, connection: int) -> None:
        """Record that a login has logged on."""
        login.flags, login.connection = flags, connection
        self._connected.add(login.session_type, login)
        # An earlier entry is removed first: entries are in the order of the latest logons, and this Logon may
        # lack the flag. An entry outlives the connection, because a listener with resend also receives later
        # reports.
        self._listeners.discard(login.owner, login)
        if flags.listener_session:
            self._listeners.add(login.owner, login)

    def end_session(self, login: Login) -> None:
        """Record that a login's session has ended."""
        login.connection = None
        self._connected.discard(login.session_type, login)

    def connected(self, session_type: str) -> tuple[Login, ...]:
        """Return the logins that are logged on to a session type."""
        return self._connected[session_type]

    def origins(self, owner: str, session_types: Collection[str]) -> tuple[str, ...]:
        """Return the origins of an owner on these session types, connected or not."""
        logins = self._by_owner[owner]
        return tuple(login.origin for login in logins if login.session_type in session_types)

    def audience(self, account: AccountId, origins: Iterable[str]) -> list[Login]:
        """Return the recipients of reports on an account's order: the logins that placed or changed it, and
        the listeners of its owner whose keys may receive them."""
        logins_of_order = (self._by_origin.get(origin) for origin in origins)
        recipients = dict.fromkeys(login for login in logins_of_order if login is not None)
        listeners = self._listeners[account.owner]
        recipients.update(dict.fromkeys(login for login in listeners if login.may_see(account)))
        return [login for login in recipients if login.is_reachable]
