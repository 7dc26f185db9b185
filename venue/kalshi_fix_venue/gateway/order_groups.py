"""Order groups: requests (UOG) to the exchange, and the answers to them (Kalshi's page on order groups)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from kalshi_fix_sansio import (
    BusinessRejectReason,
    OrderGroupAction,
    OrderGroupRequest,
    OrderGroupResponse,
)
from kalshi_fix_venue import exchange
from kalshi_fix_venue.exchange import ChangeGroup, Exchange, GroupRefusal
from kalshi_fix_venue.exchange.outcomes import GroupAnswered, Outcome
from kalshi_fix_venue.gateway.logins import Delivery, Handlers, Login, Result
from kalshi_fix_venue.gateway.refusals import authorization_reject, business_reject

ACTIONS: dict[int, exchange.GroupAction] = {
    OrderGroupAction[action.name]: action for action in exchange.GroupAction
}
_REASONS = {
    GroupRefusal.ORDER_GROUP_NOT_FOUND: BusinessRejectReason.UNKNOWN_ID,
    GroupRefusal.CUSTOMER_ACCOUNT_NOT_FOUND: BusinessRejectReason.UNKNOWN_ID,
    GroupRefusal.EXCHANGE_PAUSED: BusinessRejectReason.APPLICATION_NOT_AVAILABLE,
}
"""BusinessRejectReason (380); 0 for other causes. The Text (58) is the cause itself."""


class OrderGroups:
    """The gateway of the order groups of one product."""

    def __init__(
        self,
        exchange: Exchange,
        distribute: Callable[[Sequence[Outcome]], list[Delivery]],
        new_id: Callable[[], str],
    ) -> None:
        """Pass requests to an exchange; `distribute` reports order outcomes, `new_id` generates ids."""
        self._exchange = exchange
        self._distribute = distribute
        self._new_id = new_id

    def handlers(self) -> Handlers:
        """Return the handler of each message class."""
        return {OrderGroupRequest: self._request}

    def _request(self, message: OrderGroupRequest, login: Login, now: datetime) -> Result:
        action = ACTIONS.get(message.order_group_action)
        if action is None:
            text = f"OrderGroupAction {message.order_group_action} is not supported"
            return [(login, business_reject(message, BusinessRejectReason.OTHER, text))], ()
        if not login.may_act_for(message.alloc_account):
            return [
                (login, authorization_reject(message, "The API key is restricted to another subaccount"))
            ], ()
        creates = action is exchange.GroupAction.CREATE
        has_limit = creates or action is exchange.GroupAction.UPDATE
        # Without a Symbol there is no automatic routing, so -1 and an absent ExDestination (100) select
        # shard 0; on margin the field is ignored.
        ignores_destination = self._exchange.product == exchange.MARGIN
        shard = 0 if ignores_destination else max(message.ex_destination or 0, 0)
        command = ChangeGroup(
            action=action,
            group_id=self._new_id() if creates else message.order_group_id or "",
            account=login.account(message.alloc_account, shard),
            limit=message.order_group_contracts_limit if has_limit else None,
        )
        outcomes = self._exchange.apply(command, now)
        deliveries: list[Delivery] = []
        for outcome in outcomes:
            if isinstance(outcome, GroupAnswered) and outcome.refusal is None:
                response = OrderGroupResponse(
                    order_group_id=command.group_id,
                    order_group_contracts_limit=command.limit,
                    alloc_account=command.account.subaccount,
                )
                deliveries.append((login, response))
            elif isinstance(outcome, GroupAnswered) and outcome.refusal is not None:
                reason = _REASONS.get(outcome.refusal, BusinessRejectReason.OTHER)
                deliveries.append((login, business_reject(message, reason, outcome.refusal)))
        return deliveries + self._distribute(outcomes), outcomes
