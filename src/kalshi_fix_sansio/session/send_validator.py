"""Checks of the user's messages before they are encoded. A refused message leaves the session unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import MessageLayout
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.open_requests import Names, names_of
from kalshi_fix_sansio.session.states import SENDING_STATES, Input
from kalshi_fix_sansio.validation import Check, block_checker, checker

MANAGED_HEADER_FIELDS = frozenset(
    {
        "begin_string",
        "body_length",
        "msg_type",
        "msg_seq_num",
        "sender_comp_id",
        "target_comp_id",
        "sending_time",
        "poss_dup_flag",
        "orig_sending_time",
        "unknown",
    }
)
"""Attributes of the header that the session sets itself."""
_ANY_TIME = Instant(0.0, datetime(1970, 1, 1, tzinfo=UTC))
"""SendingTime for a header that is only checked and never sent."""


@attrs.frozen
class _SendRules:
    """The rules for one type of message."""

    layout: MessageLayout
    check: Check
    is_request: bool
    """Whether messages of this type, sent by this side, expect an answer."""


class SendValidator:
    """Checks the messages that the user sends on one session."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._header_fields = frozenset(member.attribute for member in core.config.dialect.header.members)
        self._max_unsent, self._max_open = core.config.max_unsent, core.config.max_open_requests
        self._max_open_bytes = core.config.max_open_request_bytes
        self._rules: dict[tuple[type[Message], bool], _SendRules] = core.send_rules
        """The rules by message class and by whether unknown codes are allowed. They are compiled by
        `prepare`, or when the first message of the class is checked. `Core.record_logon` empties this dict
        when a Logon changes settings on which rules depend.
        """

    def prepare(self) -> bool:
        """Compile the rules for one more type of message that this side may send; return False if none is
        left. The rules that allow unknown codes are rarely needed, so they are not compiled here.

        Raises:
            LocalProtocolError: the client's Logon is not known yet.
        """
        config = self._core.config
        if self._core.client_logon is None:
            raise LocalProtocolError("the rules depend on the client's Logon, which is not known yet")
        for layout in config.dialect.messages.values():
            allowed = layout.allowed(config.product, config.session_type.name, config.role.sender)
            if allowed and not layout.admin and (layout.cls, False) not in self._rules:
                self._compile_rules(layout.cls, allow_unknown_codes=False)
                self._core.codec.load_encoder(layout.cls)
                return True
        return False

    def check(
        self,
        message: Message,
        header_fields: Mapping[str, Any] | None,
        *,
        allow_unknown_codes: bool = False,
    ) -> Names | None:
        """Raise an exception if this session cannot send the message; if it is a request, return the
        names by which answers refer to it.

        Raises InvalidMessageError or LocalProtocolError.
        """
        core = self._core
        if core.state not in SENDING_STATES:
            core.require(Input.SEND)
        cls = type(message)
        rules = self._rules.get((cls, allow_unknown_codes))
        if rules is None:
            rules = self._compile_rules(cls, allow_unknown_codes=allow_unknown_codes)
        if len(core.outbound.buffer) >= self._max_unsent:
            raise LocalProtocolError(
                f"{len(core.outbound.buffer)} bytes are waiting to be sent; write data_to_send() first"
            )
        problems = rules.check(message)
        if header_fields:
            problems += self._header_problems(
                rules.layout, header_fields, allow_unknown_codes=allow_unknown_codes
            )
        if problems:
            raise InvalidMessageError(rules.layout.name, problems)
        if not rules.is_request:
            return None
        ledger = core.ledger
        # Answered requests are limited too until their answers are confirmed, because the store still
        # contains them.
        requests, count = ledger.open_requests, len(ledger.open_requests.by_key)
        if count >= self._max_open or ledger.settling_count > self._max_open:
            raise LocalProtocolError(
                f"too many open requests: {count} without an answer, and {ledger.settling_count} with an "
                "answer that is not confirmed; wait until there are fewer, or raise max_open_requests"
            )
        if requests.size >= self._max_open_bytes or ledger.settling_bytes > self._max_open_bytes:
            raise LocalProtocolError(
                f"the open requests are too large: {requests.size} bytes in requests without an answer, and "
                f"{ledger.settling_bytes} bytes in requests with an answer that is not confirmed; "
                "wait until there are fewer, or raise max_open_request_bytes"
            )
        return names_of(message, rules.layout)

    def _compile_rules(self, cls: type[Message], *, allow_unknown_codes: bool) -> _SendRules:
        config = self._core.config
        layout = config.dialect.layout_of(cls)
        if layout is None:
            raise LocalProtocolError(f"{cls.__name__} is not a message of {config.dialect.name}")
        if layout.admin:
            raise LocalProtocolError(f"{layout.name} must be sent by the session itself, not by its user")
        sender = config.role.sender
        context = self._core.message_context(sender, layout.msg_type, allow_unknown_codes=allow_unknown_codes)
        # The dialect defines which types are requests. Only an initiator expects answers to them.
        is_request = config.role is Role.INITIATOR and bool(layout.request)
        rules = _SendRules(layout, checker(layout, context), is_request)
        self._rules[cls, allow_unknown_codes] = rules
        return rules

    def _header_problems(
        self, layout: MessageLayout, fields: Mapping[str, Any], *, allow_unknown_codes: bool
    ) -> tuple[Problem, ...]:
        """Return the problems with the header attributes that the user passes.

        Raises:
            LocalProtocolError: the user passes an attribute that the session sets itself, or that the header
                does not have.
        """
        for attribute in fields:
            if attribute in MANAGED_HEADER_FIELDS:
                raise LocalProtocolError(f"the session itself sets {attribute} of the header; leave it out")
            if attribute not in self._header_fields:
                raise LocalProtocolError(f"the header has no attribute {attribute}")
        core = self._core
        context = core.message_context(
            core.config.role.sender, layout.msg_type, allow_unknown_codes=allow_unknown_codes
        )
        header = core.outbound.header(layout.msg_type, core.store.next_outgoing, _ANY_TIME, fields=fields)
        header.begin_string, header.body_length = core.config.dialect.begin_string, 0  # the codec sets both
        return block_checker(core.config.dialect.header, context)(header)
