"""The matching of incoming messages with the requests that they answer.

A request is settled by the first message that reports its outcome. This is either a message that answers it
according to the dialect (`MessageLayout.answers`), or a Reject or BusinessMessageReject that contains its
MsgSeqNum. If the answer reports that the peer does not know the outcome, no other message will settle the
request, so OutcomesUnknown is emitted.

Ids are not unique. Users may send a ClOrdID twice, a cancel may have the id of its order, and all fills of an
order contain its ClOrdID. Requests are therefore matched by type as well as id; if several match, the oldest
is chosen. The OrderID of an answered order is remembered: a later report with this OrderID concerns the
answered order, not the next order with the same ClOrdID.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any

import attrs

from kalshi_fix_sansio.classes.lazy_dict import LazyDict
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.conditions import Choice, Terms, holds, terms
from kalshi_fix_sansio.dialect.layout import AnswerRule, BlockLayout
from kalshi_fix_sansio.events import OpenRequest, RejectReceived
from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.open_requests import NO_ID, OpenRequests, RequestIndex, RequestsSharingName


@attrs.frozen
class _Rule:
    """A compiled `layout.AnswerRule`."""

    requests: Collection[str]
    created_id: str | None
    """The attribute of the message that contains the id of the object that the request created, such as the
    OrderID of an order.
    """
    non_creating_requests: Collection[str]
    """The MsgTypes in `requests` that create no object, such as a cancel or a replace."""
    open_when: Terms


@attrs.frozen
class _Lookup:
    """Rules that identify their requests by the same attribute."""

    index: RequestIndex
    attribute: str | None
    value: str
    """The MsgType by which requests without an id are found, if `attribute` is None."""
    rules: Choice[_Rule]


class RequestMatcher:
    """Matches incoming messages with sent requests."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lookups: LazyDict[type[Message], tuple[_Lookup, ...]] = LazyDict(self._compile_lookups)
        """The lookups by message class, compiled when the first message of a class is received; empty for a
        class that answers no request.
        """
        self._created_ids: dict[type[Message], str] = {}
        """By message class, the attribute that contains the id of the object that a request created."""
        for layout in core.config.dialect.messages.values():
            for rule in layout.answers:
                if rule.creates is not None:
                    core.ledger.open_requests.creating_types.add(rule.creates[0])
                    self._created_ids[layout.cls] = rule.creates[1]

    def _compile_lookups(self, cls: type[Message]) -> tuple[_Lookup, ...]:
        core = self._core
        layout = core.config.dialect.layout_of(cls)
        return (
            () if layout is None else tuple(_lookups(layout.answers, layout.body, core.ledger.open_requests))
        )

    def match(self, message: Message) -> Sequence[OpenRequest] | None:
        """Find the requests that the message answers, and settle them when the next event is confirmed. The
        caller must therefore emit the event of this message next. Return the requests whose outcome the peer
        reports as unknown; None if messages of this class answer no requests.
        """
        lookups = self._lookups[message.__class__]
        if not lookups:
            return None
        ledger = self._core.ledger
        recorded_answers = ledger.open_requests.answered
        id_attribute = self._created_ids.get(message.__class__)
        answered: list[OpenRequest] = []
        uncertain_requests: list[OpenRequest] = []
        for lookup in lookups:
            attribute = lookup.attribute
            name = lookup.value if attribute is None else getattr(message, attribute)
            candidate = lookup.index.get(name)
            if candidate is None:  # most reports are about orders that were already answered
                continue
            for rule in lookup.rules.select(message):
                # One message answers at most one request of each type.
                if answered and any(each.msg_type in rule.requests for each in answered):
                    continue
                created_id = rule.created_id
                # A report about an order that was already answered may still answer a cancel or a replace of
                # this order.
                was_answered = (
                    created_id is not None and (name, getattr(message, created_id)) in recorded_answers
                )
                msg_types = rule.non_creating_requests if was_answered else rule.requests
                if isinstance(candidate, RequestsSharingName):
                    request = candidate.oldest(msg_types)
                else:
                    request = candidate if candidate.msg_type in msg_types else None
                if request is None:
                    continue
                answered.append(request)
                if rule.open_when and holds(rule.open_when, message):
                    uncertain_requests.append(request)
                    # The order may have been accepted. Record its OrderID, so its fills are not mistaken for
                    # the answer to another order with this ClOrdID.
                    created_id = id_attribute
                if id_attribute is not None:
                    # If the rule has no `created_id` (for a refusal, for example), record only the name. The
                    # OrderID of the refusal may belong to a conflicting order, whose own answer is still
                    # pending.
                    recorded_answers.add(name, getattr(message, created_id) if created_id else None)
                if candidate is request:
                    break  # no other request has this name
        # The caller settles the requests in `uncertain_requests` with OutcomesUnknown, which it emits after
        # this message.
        if uncertain_requests:
            answered = [request for request in answered if request not in uncertain_requests]
        if answered:
            ledger.settle_with_next_event(answered)
        return uncertain_requests

    def emit_reject(self, message: Any) -> None:
        """Emit RejectReceived for a Reject (3) or BusinessMessageReject (j), with the message that it
        answers.
        """
        core, ref_seq_num = self._core, message.ref_seq_num
        # Look the message up first: settling the request removes it from the open requests.
        sent = core.outbound.find_sent(ref_seq_num)
        request = core.ledger.open_requests.find_by_number(ref_seq_num)
        if request is not None:
            core.ledger.settle_with_next_event((request,))
        core.emit(RejectReceived(message, ref_seq_num, sent))


def _lookups(
    answer_rules: Sequence[AnswerRule], body: BlockLayout, requests: OpenRequests
) -> Iterator[_Lookup]:
    """Yield the rules by which a message answers requests, grouped by the attribute that identifies the
    requests.
    """
    for (attribute, names, value), group in groupby(answer_rules, key=_lookup_key):
        options = ((_compile(rule, body), terms(rule.when, body), terms(rule.unless, body)) for rule in group)
        yield _Lookup(requests.index(names), attribute, value, Choice(options))


def _lookup_key(rule: AnswerRule) -> tuple[str | None, str, str]:
    if rule.attribute is None:
        return None, NO_ID, next(iter(rule.requests))
    return rule.attribute, rule.repeats, ""


def _compile(rule: AnswerRule, body: BlockLayout) -> _Rule:
    creating_type, created_id = rule.creates or (None, None)
    return _Rule(rule.requests, created_id, rule.requests - {creating_type}, terms(rule.open_when, body))
