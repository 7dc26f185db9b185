"""Clearing members: the customer account (PartyID 448) and the operator (SenderSubID 50) of a message.

Source: "FCM customer-account identifiers" and "party information" on Kalshi's page on order entry.
"""

from __future__ import annotations

from collections.abc import Sequence

from kalshi_fix_sansio import (
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    Party,
    PartyRole,
)
from kalshi_fix_venue.exchange import AccountId, Exchange, RejectCause
from kalshi_fix_venue.gateway.logins import Login

ChangeMessage = OrderCancelRequest | OrderCancelReplaceRequest
OrderMessage = NewOrderSingle | ChangeMessage


def account_of(
    message: OrderMessage, login: Login, shard: int, exchange: Exchange
) -> AccountId | RejectCause:
    """Return the account on a shard that a message names by its party or by AllocAccount (79). If the login
    may not trade for it, return the cause of the refusal."""
    return account_of_parties(message.party_ids, message.alloc_account, login, shard, exchange)


def account_of_parties(
    parties: Sequence[Party], subaccount: int | None, login: Login, shard: int, exchange: Exchange
) -> AccountId | RejectCause:
    """Return the account on the given shard that is named by the parties or, if there are none, by the
    subaccount. If the login may not trade for it, return the cause of the refusal."""
    if not login.may_act_for(subaccount):
        return RejectCause.PERMISSION_DENIED_FOR_CUSTOMER_ACCOUNT
    if not parties:
        return login.account(subaccount, shard)
    (party,) = parties if len(parties) == 1 else (None,)
    member = None if party is None else exchange.customers.get(party.party_id)
    if party is None or member is None or party.party_role != PartyRole.CUSTOMER_ACCOUNT:
        return RejectCause.CUSTOMER_ACCOUNT_NOT_FOUND
    if member != login.owner or not login.may_act_for_customer(party.party_id):
        return RejectCause.PERMISSION_DENIED_FOR_CUSTOMER_ACCOUNT
    return AccountId(login.owner, 0, shard, customer=party.party_id)


def operator_of(message: OrderMessage) -> str | None:
    """Return the operator of an order or a request."""
    return None if message.header is None else message.header.sender_sub_id


def parties(customer: str, operator: str | None) -> list[Party]:
    """Return the parties of a report: the customer account, then the operator."""
    roles = ((customer or None, PartyRole.CUSTOMER_ACCOUNT), (operator, PartyRole.EXECUTING_TRADER))
    return [Party(party_id=party, party_role=role) for party, role in roles if party is not None]
