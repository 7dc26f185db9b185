"""What the user may send: checked before bytes exist, so that a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.layout import MessageLayout
from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.states import SENDING_STATES, Input
from kalshi_fix_sansio.validation import Check, checker

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
"""Attributes of the header that the session writes itself."""


@attrs.frozen
class _Kind:
    """What the session has to know of one type of message."""

    layout: MessageLayout
    check: Check
    request_id: str | None
    """The attribute that its answer will name, if this side's messages are answered."""


class Permit:
    """The rules for messages of the user on one session."""

    __slots__ = ("_core", "_header_fields", "_kinds", "_max_open", "_max_unsent")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._header_fields = frozenset(member.attribute for member in core.config.dialect.header.members)
        self._max_unsent, self._max_open = core.config.max_unsent, core.config.max_open_requests
        self._kinds: dict[type[Message], _Kind] = {}
        """By class, of those that were to be sent and that the user may send at all."""

    def check(self, message: Message, header_fields: Mapping[str, Any] | None) -> str | None:
        """Refuse what this session must not, or cannot, send; return the id of a request.

        Raises InvalidMessageError or LocalProtocolError.
        """
        core = self._core
        if core.state not in SENDING_STATES:
            core.permit(Input.SEND)
        kind = self._kinds.get(type(message)) or self._learn(message)
        if len(core.outbound.buffer) >= self._max_unsent:
            raise LocalProtocolError(
                f"{len(core.outbound.buffer)} bytes wait to be sent; write data_to_send() first"
            )
        if header_fields:
            self._check_header(header_fields)
        problems = kind.check(message)
        if problems:
            raise InvalidMessageError(kind.layout.name, problems)
        if kind.request_id is None:
            return None
        if len(core.ledger.open) >= self._max_open:
            raise LocalProtocolError(
                f"{len(core.ledger.open)} requests have no answer yet; wait for some, or raise "
                "max_open_requests"
            )
        request_id: str | None = getattr(message, kind.request_id)
        return request_id

    def _learn(self, message: Message) -> _Kind:
        config = self._core.config
        layout = config.dialect.by_class.get(type(message))
        if layout is None:
            raise LocalProtocolError(f"{type(message).__name__} is not a message of {config.dialect.name}")
        if layout.admin:
            raise LocalProtocolError(f"{layout.name} belongs to the session, which sends it by itself")
        check = checker(
            layout, product=config.product, session=config.session_type.name, sender=config.role.sender
        )
        request_id = layout.request_id if config.role is Role.INITIATOR else None
        kind = self._kinds[type(message)] = _Kind(layout, check, request_id)
        return kind

    def _check_header(self, fields: Mapping[str, Any]) -> None:
        for attribute in fields:
            if attribute in MANAGED_HEADER_FIELDS:
                raise LocalProtocolError(f"the session itself writes {attribute} of the header; leave it out")
            if attribute not in self._header_fields:
                raise LocalProtocolError(f"the header has no attribute {attribute}")
