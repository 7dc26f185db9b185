"""Which incoming messages answer which requests.

A request is settled by the first message that says what became of it: one that the dialect says answers it
(`MessageLayout.answers`), or a Reject or BusinessMessageReject that names its number.
"""

from __future__ import annotations

from typing import Any

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_sansio.layout import Answers
from kalshi_fix_sansio.session.core import Core


class AnswerBook:
    """Ties what comes in to what was sent."""

    __slots__ = ("_answers", "_core")

    def __init__(self, core: Core) -> None:
        self._core = core
        layouts = core.config.dialect.messages.values()
        self._answers: dict[type[Message], Answers] = {
            layout.cls: layout.answers for layout in layouts if layout.answers is not None
        }

    def note(self, message: Message) -> None:
        """If the message about to be told answers a request, the request is settled with it."""
        answers = self._answers.get(message.__class__)
        if answers is None:
            return
        if answers.coded is not None and getattr(message, answers.coded) in answers.pending:
            return
        request = self._core.ledger.open.get(getattr(message, answers.attribute))
        if request is not None and request.msg_type in answers.requests:
            self._core.ledger.answered((request.request_id,))

    def rejected(self, message: Any) -> None:
        """Reject (3) and BusinessMessageReject (j): told to the user with the message that they answer."""
        core, ref_seq_num = self._core, message.ref_seq_num
        sent = core.outbound.find_sent(ref_seq_num)
        request_id = core.ledger.request_of(ref_seq_num)
        if request_id is not None:
            core.ledger.answered((request_id,))
        core.tell(RejectReceived(message, ref_seq_num, sent))
