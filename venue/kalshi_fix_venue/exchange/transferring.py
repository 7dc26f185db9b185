"""Cash transfers between an owner's shards and subaccounts (Kalshi's pages on sharding and subaccounts)."""

from __future__ import annotations

from kalshi_fix_venue.exchange.commands import MoveCash
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import AccountId


def check_transfer(state: ExchangeState, command: MoveCash) -> None:
    """Check that cash can be transferred.

    Raises:
        ValueError: an account is unknown, the owners differ, or the amount is invalid or not available.
    """
    for account in (command.source, command.target):
        if account not in state.accounts:
            raise ValueError(f"there is no {_account_name(account)}")
    if command.source.owner != command.target.owner:
        raise ValueError(f"{command.source.owner} cannot move cash to {command.target.owner}")
    source = state.accounts[command.source]
    # Checked first, because `%` fails if the amount has too many digits.
    if command.amount > source.available:
        raise ValueError(f"{_account_name(command.source)} has only {source.available} dollars available")
    if command.amount <= 0 or command.amount % source.precision:
        raise ValueError(
            f"amount must be a positive multiple of {source.precision} dollars, not {command.amount}"
        )


def transfer(state: ExchangeState, batch: Batch, command: MoveCash) -> None:  # noqa: ARG001 - all commands have the same signature
    """Execute a checked transfer."""
    state.accounts[command.source].balance -= command.amount
    state.accounts[command.target].balance += command.amount


def _account_name(account: AccountId) -> str:
    return f"account {account.subaccount} of {account.customer or account.owner} on shard {account.shard}"
