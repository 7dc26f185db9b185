"""What the user may send: checked before bytes exist, so that a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.states import Input
from kalshi_fix_sansio.validation import validate

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


class Permit:
    """The rules for messages of the user on one session."""

    __slots__ = ("_core", "_header_fields")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._header_fields = frozenset(member.attribute for member in core.config.dialect.header.members)

    def check(self, message: Message, header_fields: Mapping[str, Any] | None) -> str | None:
        """Refuse what this session must not, or cannot, send; return the id of a request.

        Raises InvalidMessageError or LocalProtocolError.
        """
        core, config = self._core, self._core.config
        core.permit(Input.SEND)
        layout = config.dialect.by_class.get(type(message))
        if layout is None:
            raise LocalProtocolError(f"{type(message).__name__} is not a message of {config.dialect.name}")
        if layout.admin:
            raise LocalProtocolError(f"{layout.name} belongs to the session, which sends it by itself")
        if len(core.outbound.buffer) >= config.max_unsent:
            raise LocalProtocolError(
                f"{len(core.outbound.buffer)} bytes wait to be sent; write data_to_send() first"
            )
        for attribute in header_fields or ():
            if attribute in MANAGED_HEADER_FIELDS:
                raise LocalProtocolError(f"the session itself writes {attribute} of the header; leave it out")
            if attribute not in self._header_fields:
                raise LocalProtocolError(f"the header has no attribute {attribute}")
        session = config.session_type.name
        problems = validate(
            message, layout, product=config.product, session=session, sender=config.role.sender
        )
        if problems:
            raise InvalidMessageError(layout.name, problems)
        if layout.request_id is None or config.role is Role.ACCEPTOR:
            return None
        if len(core.ledger.open) >= config.max_open_requests:
            raise LocalProtocolError(
                f"{len(core.ledger.open)} requests have no answer yet; wait for some, or raise "
                "max_open_requests"
            )
        request_id: str | None = getattr(message, layout.request_id)
        return request_id
