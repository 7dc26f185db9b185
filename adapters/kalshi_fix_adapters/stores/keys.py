"""Changes to the API key: the error for a missing store, and the owner of a moved store."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import attrs

from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_sansio.errors import ConfigurationError


def explain_missing(place: object, owner: StoreOwner, others: Sequence[str], migrate: str) -> tuple[str, str]:
    """Return an error text and a command for an owner whose store is missing, although there is a store for
    another key or account that may be the intended one.

    Args:
        place: the folder or the database without the store.
        owner: the owner of the missing store.
        others: the names of the existing stores, most recently written first.
        migrate: the arguments of `kalshi-fix store migrate` that select the first of `others`.
    """
    if owner.account is None:
        missing, option, name = f"no store for {owner}", "--key-id", owner.sender_comp_id
        advice = "to create an empty store instead, name it with the option `account`"
    else:
        missing, option, name = f"no store {owner.account!r} for {owner}", "--account", owner.account
        advice = "to create an empty store instead, first move the existing one to another account"
    command = f"kalshi-fix store migrate {migrate} {option} {shlex.quote(name)}"
    text = (
        f"{place} has {missing}, but it has {', '.join(others)}: to keep your "
        f"program's rows and the open requests of {others[0]}, run: {command}; {advice}"
    )
    return text, command


def key_changed(owner: StoreOwner, actual: StoreOwner) -> bool | None:
    """Compare the actual owner of a store with the expected one (`owner`). Return False if they are the same,
    True if the store must first be moved to the key of `owner`, and None if it belongs to another owner.

    Only an owner with a named account can have a store with another key.
    """
    expected = attrs.evolve(owner, account=None)
    if actual == expected:
        return False
    same_but_key = attrs.evolve(actual, sender_comp_id=expected.sender_comp_id) == expected
    return True if owner.account is not None and same_but_key else None


def moved_owner(owner: StoreOwner, *, key_id: str | None, account: str | None) -> StoreOwner:
    """Return the owner of a store after a move to another API key, or to a named account.

    Raises:
        ConfigurationError: neither a key nor an account is given, or both are.
    """
    if (key_id is None) is (account is None):
        raise ConfigurationError("give either the new key's id or the account's name")
    return attrs.evolve(owner, account=account, sender_comp_id=key_id or owner.sender_comp_id)
