"""Owners' requests to change their order groups."""

from __future__ import annotations

from kalshi_fix_venue.exchange.commands import ChangeGroup
from kalshi_fix_venue.exchange.groups import CONTRACTS_LIMITS, OrderGroup
from kalshi_fix_venue.exchange.outcomes import GroupAnswered
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import GroupAction, GroupRefusal, PauseState


def change_group(state: ExchangeState, batch: Batch, command: ChangeGroup) -> None:
    """Create, reset, delete, trigger or update a group, or refuse the request without any change."""
    group = _group(state, command)
    if isinstance(group, GroupRefusal):
        batch.outcomes.append(GroupAnswered(request=command, refusal=group))
        return
    if command.limit is not None:
        group.limit = command.limit
    # The answer is reported before the cancels that the request causes.
    batch.outcomes.append(GroupAnswered(request=command))
    match command.action:
        case GroupAction.CREATE:
            state.groups.add(group)
        case GroupAction.RESET:
            group.reset()
        case GroupAction.TRIGGER:
            state.trigger(batch, group)
        case GroupAction.UPDATE:
            if group.is_exceeded:
                state.trigger(batch, group)
        case GroupAction.DELETE:
            state.trigger(batch, group)
            state.groups.remove(group)


def _group(state: ExchangeState, command: ChangeGroup) -> OrderGroup | GroupRefusal:
    """Return the requested group, a new one for CREATE, or the refusal."""
    if state.pause is PauseState.EXCHANGE_PAUSED:
        return GroupRefusal.EXCHANGE_PAUSED
    if command.account not in state.accounts:
        return GroupRefusal.CUSTOMER_ACCOUNT_NOT_FOUND
    if command.action in (GroupAction.CREATE, GroupAction.UPDATE) and command.limit not in CONTRACTS_LIMITS:
        return GroupRefusal.INVALID_CONTRACTS_LIMIT
    if command.action is GroupAction.CREATE:
        if state.groups.is_full(command.account.owner):
            return GroupRefusal.TOO_MANY_ORDER_GROUPS
        return OrderGroup(command.group_id, command.account, command.limit or 0)
    return state.groups.find(command.group_id, command.account) or GroupRefusal.ORDER_GROUP_NOT_FOUND
