"""Logins: one per API key and session type, where reports go to and requests come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from kalshi_fix_adapters.venue.exchange import AccountId
from kalshi_fix_adapters.venue.exchange.outcomes import Outcome
from kalshi_fix_adapters.venue.gateway.flags import LogonFlags
from kalshi_fix_sansio.base import Message


@attrs.define(eq=False)
class Login:
    """A key on a session type. It outlives connections: its orders go on resting, and on a
    session type with resend its reports wait for it."""

    key_id: str
    owner: str
    """Whose key it is."""
    session_type: str
    product: str
    may_write: bool
    """Whether the key's scopes allow orders."""
    keeps_messages: bool
    """Whether what is sent while nobody is connected waits (the session type has resend)."""
    customers: frozenset[str] | None = None
    """The customer accounts of its owner that it may trade for; None for all."""
    restricted_to: int | None = None
    """The one subaccount that the key may act for; None for all."""
    flags: LogonFlags = attrs.field(factory=LogonFlags)
    """Those of its last Logon."""
    connection: int | None = None
    """The connection that is logged on, if any."""

    @property
    def origin(self) -> str:
        """What the exchange knows the login by."""
        return f"{self.key_id}:{self.session_type}"

    @property
    def takes_messages(self) -> bool:
        """Whether a message to it can reach it, now or later."""
        return self.connection is not None or self.keeps_messages

    def account(self, subaccount: int | None, shard: int = 0) -> AccountId:
        """Return the purse on a shard that AllocAccount (79) names; absent and 0 are the primary one. For a
        key that is restricted to a subaccount, absent is that one."""
        if subaccount is None:
            subaccount = self.restricted_to
        return AccountId(self.owner, subaccount or 0, shard)

    def may_act_for(self, subaccount: int | None) -> bool:
        """Say whether the key may act for the subaccount that AllocAccount (79) names."""
        return self.restricted_to is None or subaccount in (None, self.restricted_to)

    def may_act_for_customer(self, party_id: str) -> bool:
        """Say whether the key may act for this customer account of its owner; empty is none of them."""
        return self.customers is None or not party_id or party_id in self.customers

    def sees(self, account: AccountId) -> bool:
        """Say whether the key may know of what happens to an account of its owner."""
        return self.may_act_for(account.subaccount) and self.may_act_for_customer(account.customer)


Delivery = tuple[Login, Message]
"""A message on its way to a login."""
Result = tuple[list[Delivery], Sequence[Outcome]]
"""What is to be delivered, in order, and what happened at the exchange (for market data)."""
Handler = Callable[[Any, Login, datetime], Result]
"""What takes an application message of a class."""
Handlers = Mapping[tuple[str, type[Message]], Handler]
"""By session type and class of the message."""


@attrs.define(eq=False)
class Logins:
    """All logins of one product that ever logged on."""

    _by_origin: dict[str, Login] = attrs.field(factory=dict)
    _connected: dict[str, dict[Login, None]] = attrs.field(factory=dict)
    """Those that are logged on, by session type, in the order of their logons."""
    _listeners: dict[str, dict[Login, None]] = attrs.field(factory=dict)
    """By owner, in the order of their logons."""
    _by_owner: dict[str, list[Login]] = attrs.field(factory=dict)

    def get(self, origin: str) -> Login | None:
        """Return the login of this origin, if it ever logged on."""
        return self._by_origin.get(origin)

    def add(self, login: Login) -> None:
        """Take in a login that logs on for the first time."""
        self._by_origin[login.origin] = login
        self._by_owner.setdefault(login.owner, []).append(login)

    def of_owner(self, owner: str) -> Sequence[Login]:
        """Return the logins of an owner, in the order of their first logons."""
        return self._by_owner.get(owner, ())

    def enter(self, login: Login, flags: LogonFlags, connection: int) -> None:
        """Take note that a login has logged on."""
        login.flags, login.connection = flags, connection
        self._connected.setdefault(login.session_type, {})[login] = None
        listeners = self._listeners.setdefault(login.owner, {})
        # Out and in again: the order is that of the last logons. It outlives the connection, since a listener
        # with resend is told what happens meanwhile, and the next Logon may not ask to listen any more.
        listeners.pop(login, None)
        if flags.listener:
            listeners[login] = None

    def leave(self, login: Login) -> None:
        """Take note that a login's session has ended."""
        login.connection = None
        self._connected.get(login.session_type, {}).pop(login, None)

    def connected(self, session_type: str) -> Iterable[Login]:
        """Return who is logged on to a session type."""
        return self._connected.get(session_type, {}).keys()

    def origins(self, owner: str, session_types: Collection[str]) -> tuple[str, ...]:
        """Return the logins of an owner on these session types, of all that ever logged on."""
        return tuple(
            origin
            for origin, login in self._by_origin.items()
            if login.owner == owner and login.session_type in session_types
        )

    def audience(self, account: AccountId, origins: tuple[str | None, ...]) -> list[Login]:
        """Return who is told of an order of an account: the logins that placed it and changed it, and the
        listeners of its owner whose keys may know of it."""
        placed = (self._by_origin.get(origin or "") for origin in origins)
        concerned = dict.fromkeys(login for login in placed if login is not None)
        listeners = self._listeners.get(account.owner, {})
        concerned.update(dict.fromkeys(login for login in listeners if login.sees(account)))
        return [login for login in concerned if login.takes_messages]
