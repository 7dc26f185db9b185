"""Sessions that lose track of requests."""

from __future__ import annotations

from typing import Any

from kalshi_fix_sansio.events import OutcomesUnknown
from kalshi_fix_sansio.session.answers import RequestMatcher
from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.ledger import Ledger
from kalshi_fix_sansio.session.open_requests import OpenRequests, RecentAnswers, RestingOrders
from kalshi_fix_sansio.trading import Orders
from tests.simulation.mutants.patching import caught_by, do_nothing, replace, wrap


def _keep_open(settle: Any, ledger: Ledger, requests: Any) -> None:
    requests, index = tuple(requests), ledger.open_requests
    names = [index._names[item.key] for item in requests]
    settle(ledger, requests)
    for request, request_names in zip(requests, names, strict=True):
        index.add(request, request_names)


def _settle_unknown(match: Any, matcher: RequestMatcher, message: Any) -> Any:
    unsure = match(matcher, message)
    if unsure:
        matcher._core.ledger.settle_with_next_event(unsure)
    return ()


def _track_one_request_per_id(add: Any, requests: OpenRequests, request: Any, names: Any) -> None:
    for other in list(requests.by_key.values()):
        if other.request_id == request.request_id:
            requests.remove(other)
    add(requests, request, names)


def _ignore_unknown(apply: Any, orders: Orders, event: object) -> Any:
    return [] if isinstance(event, OutcomesUnknown) else apply(orders, event)


MUTANTS = {
    "orders that ignore the requests of an earlier process": caught_by(
        wrap(Orders, "apply", _ignore_unknown), "dropped"
    ),
    "resting orders that are not reported": caught_by(
        replace(RestingOrders, "take_unverified", do_nothing), "unverified"
    ),
    "an answer that leaves the outcome open but settles the request": caught_by(
        wrap(RequestMatcher, "match", _settle_unknown), "unsettled"
    ),
    "a session that tracks one request per id": caught_by(
        wrap(OpenRequests, "add", _track_one_request_per_id), "unsettled", "forgotten"
    ),
    "a fill of one order that answers another order with the same id": caught_by(
        replace(RecentAnswers, "add", do_nothing), "unsettled", "forgotten"
    ),
    "unknown outcomes that are not reported": caught_by(
        replace(Core, "emit_outcomes_unknown", do_nothing), "unsettled", "forgotten"
    ),
    "unknown outcomes that are reported again": caught_by(
        wrap(Ledger, "settle_with_next_event", _keep_open), "listed twice"
    ),
    "answered orders that stay open": caught_by(
        replace(Ledger, "_settle_confirmed", do_nothing), "unsettled"
    ),
}
