"""Operations on past execution reports."""

from __future__ import annotations

from typing import ClassVar

import attrs

from kalshi_fix_sansio import PRODUCTS, EventResendRejectReason
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.operations.base import PRODUCT, Answer, Operable, Operation
from kalshi_fix_venue.parameters import COUNT, FLAG, TEXT, choice, parameter

REASONS = {reason.name.lower().replace("_", "-"): reason for reason in EventResendRejectReason}
MAX_REFUSALS = 1000
"""Maximum number of requests that one operation refuses."""


@attrs.frozen(kw_only=True)
class EnableDropCopy(Operation):
    """Give an account the permission to request past reports, or withdraw it. Reports sent while the account
    did not have the permission are never returned."""

    NAME: ClassVar[str] = "enable-drop-copy"
    owner: str = parameter(TEXT, "owner of the account", positional=True)
    enabled: bool = parameter(FLAG, "`no` withdraws the permission", default=True)
    product: str | None = parameter(PRODUCT, "product of the account; both by default", optional=True)

    def perform(self, venue: Operable, now: Instant) -> Answer:  # noqa: ARG002 like all operations
        """Enable or disable drop copy on the products."""
        products = [self.product] if self.product else list(PRODUCTS)
        for product in products:
            venue.drop_copy(product).enable(self.owner, enabled=self.enabled)
        text = "may" if self.enabled else "may not"
        return {"text": f"{self.owner} {text} request past reports", "products": products}


@attrs.frozen(kw_only=True)
class RefuseDropCopy(Operation):
    """Refuse the next requests for past reports (EventResendReject U3)."""

    NAME: ClassVar[str] = "refuse-drop-copy"
    reason: str = parameter(choice(*REASONS), "the reported reason", default="server-error", positional=True)
    owner: str | None = parameter(TEXT, "only requests from this owner", optional=True)
    times: int = parameter(COUNT, "number of requests", default=1)
    product: str | None = parameter(PRODUCT, "product of the account; both by default", optional=True)

    def perform(self, venue: Operable, now: Instant) -> Answer:  # noqa: ARG002 like all operations
        """Refuse the next requests.

        Raises:
            ConfigurationError: `times` is above `MAX_REFUSALS`.
        """
        if self.times > MAX_REFUSALS:
            raise ConfigurationError(f"times must be at most {MAX_REFUSALS}, not {self.times}")
        products = [self.product] if self.product else list(PRODUCTS)
        for product in products:
            venue.drop_copy(product).refuse_next(REASONS[self.reason], self.owner, count=self.times)
        subject = "the next request is" if self.times == 1 else f"the next {self.times} requests are"
        return {"text": f"{subject} refused: {self.reason}", "products": products}
