"""BusinessMessageReject (j) for messages that the gateway refuses before they reach the exchange."""

from __future__ import annotations

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
)
from kalshi_fix_sansio.dialect.base import Message


def business_reject(message: Message, reason: BusinessRejectReason, text: str) -> BusinessMessageReject:
    """Return the refusal of an application message. It references the message's number, type, and ClOrdID or
    OrderGroupID."""
    reference: str | None = getattr(message, "cl_ord_id", None) or getattr(message, "order_group_id", None)
    return BusinessMessageReject(
        ref_seq_num=message.header.msg_seq_num,
        ref_msg_type=message.MSG_TYPE,
        business_reject_ref_id=reference,
        business_reject_reason=reason,
        text=text,
    )


def rate_limit_reject(message: Message) -> BusinessMessageReject:
    """Return the refusal of a message that exceeds the rate limit (BusinessRejectReason 380=8)."""
    return business_reject(message, BusinessRejectReason.RATE_LIMIT_EXCEEDED, "Rate limit exceeded")


def unsupported_type_reject(message: Message) -> BusinessMessageReject:
    """Return the refusal of a message whose type is not implemented (BusinessRejectReason 380=3)."""
    return business_reject(message, BusinessRejectReason.UNSUPPORTED_MESSAGE_TYPE, "Unsupported Message Type")


def authorization_reject(message: Message, text: str) -> BusinessMessageReject:
    """Return the refusal of a message that this key or session may not send (BusinessRejectReason 380=6)."""
    return business_reject(message, BusinessRejectReason.NOT_AUTHORIZED, text)
