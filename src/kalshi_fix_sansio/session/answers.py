"""Which incoming messages answer which requests.

A request is settled by the first message that says what became of it: one that the dialect says answers it
(`MessageLayout.answers`), or a Reject or BusinessMessageReject that names its number. A message may also say
that the peer does not know what became of it; then nothing will settle the request, and its user is told so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import attrs

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.conditions import Terms, holds, terms
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_sansio.layout import Answers, BlockLayout
from kalshi_fix_sansio.outcomes import OpenRequest
from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.requests import UNNAMED, Named, OpenRequests, Several, oldest


@attrs.frozen
class _Rule:
    """`layout.Answers`, ready for use."""

    requests: Collection[str]
    named: Named
    attribute: str | None
    value: str
    """Where there is no attribute: what requests that have no name are found by."""
    when: Terms
    unless: Terms
    open_when: Terms

    def among(self, found: OpenRequest | Several, message: Message) -> OpenRequest | None:
        """Return the request that a message answers among those of the name that it says, if it does."""
        if (self.when and not holds(self.when, message)) or (self.unless and holds(self.unless, message)):
            return None
        return oldest(found, self.requests)


class AnswerBook:
    """Ties what comes in to what was sent."""

    __slots__ = ("_core", "_rules")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._rules: dict[type[Message], tuple[_Rule, ...]] = {
            layout.cls: tuple(_rule(answers, layout.body, core.ledger.open) for answers in layout.answers)
            for layout in core.config.dialect.messages.values()
            if layout.answers
        }

    def note(self, message: Message) -> Sequence[OpenRequest] | None:
        """If the message about to be told answers requests, they are settled with it; return those whose
        outcome it leaves open."""
        rules = self._rules.get(message.__class__)
        if rules is None:
            return None
        answered: list[OpenRequest] = []
        unsure: list[OpenRequest] = []
        for rule in rules:
            found = rule.named.get(rule.value if rule.attribute is None else getattr(message, rule.attribute))
            # Most reports are about orders that have had their answer.
            if found is None or (answered and any(each.msg_type in rule.requests for each in answered)):
                continue
            request = rule.among(found, message)
            if request is not None:
                answered.append(request)
                if rule.open_when and holds(rule.open_when, message):
                    unsure.append(request)
        if unsure:
            answered = [request for request in answered if request not in unsure]
        if answered:
            self._core.ledger.answered(answered)
        return unsure

    def rejected(self, message: Any) -> None:
        """Reject (3) and BusinessMessageReject (j): told to the user with the message that they answer."""
        core, ref_seq_num = self._core, message.ref_seq_num
        sent = core.outbound.find_sent(ref_seq_num)
        request = core.ledger.open.numbered(ref_seq_num)
        if request is not None:
            core.ledger.answered((request,))
        core.tell(RejectReceived(message, ref_seq_num, sent))


def _rule(answers: Answers, body: BlockLayout, requests: OpenRequests) -> _Rule:
    return _Rule(
        answers.requests,
        requests.index(UNNAMED if answers.attribute is None else answers.names),
        answers.attribute,
        "" if answers.attribute is not None else next(iter(answers.requests)),
        terms(answers.when, body),
        terms(answers.unless, body),
        terms(answers.open_when, body),
    )
