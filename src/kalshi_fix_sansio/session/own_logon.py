"""The Logon that this side sends, built, signed and checked before a number is taken for it; and what the
peer's says of the number that it expects next.

FIXT 1.1 session layer, "Logon"; Kalshi, "Authentication & Sessions".
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kalshi_fix_sansio import scalars
from kalshi_fix_sansio.authentication import LogonToSign
from kalshi_fix_sansio.base import Block, values_of
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import NEXT_EXPECTED, Role, SessionConfig, own_logon_fields
from kalshi_fix_sansio.errors import ConfigurationError, InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.layout import FieldMember, Member
from kalshi_fix_sansio.session.core import LOGON, Core
from kalshi_fix_sansio.validation import checker


class OwnLogon:
    """What stands in every Logon that this side sends on one connection."""

    __slots__ = ("_core", "fields", "heart_bt_int")

    def __init__(self, core: Core) -> None:
        self._core = core
        self.heart_bt_int: int = core.config.heart_bt_int
        fields = core.config.logon_fields
        self.fields: Mapping[str, Any] = {} if fields is None else values_of(fields)
        """What it says beside that; what `accept_logon` added is in a later Logon of the same session too."""

    def agreed(self, heart_bt_int: int, fields: Block | None) -> OwnLogon:
        """Return one with an acceptor's answer to the peer's Logon, to be adopted once it is encoded."""
        try:
            added = own_logon_fields(fields, self._core.config.dialect)
        except ConfigurationError as error:
            raise LocalProtocolError(str(error)) from None
        answer = OwnLogon(self._core)
        answer.heart_bt_int = heart_bt_int
        if added is not None:
            answer.fields = {**answer.fields, **values_of(added)}
        return answer

    def adopt(self, answer: OwnLogon) -> None:
        """Go on as agreed."""
        self.heart_bt_int, self.fields = answer.heart_bt_int, answer.fields

    def encode(
        self, seq_num: int, now: Instant, *, reset: bool, processed: int, next_expected: int | None = None
    ) -> bytes:
        """Build, sign, check and encode a Logon, each with its own SendingTime and so its own signature.

        `processed` is the last number of the peer's that was dealt with, since the numbers began.

        Raises InvalidMessageError when the dialect does not allow it, and whatever `sign_logon` raises.
        """
        core, config = self._core, self._core.config
        values = dict(self.fields)
        layout = config.dialect.messages[LOGON]
        # Nobody knows whether an unknown field is a secret.
        hidden = {"unknown", *(member.attribute for member in layout.body.members if _is_secret(member))}
        flags = MappingProxyType({name: value for name, value in values.items() if name not in hidden})
        header = core.outbound.header(LOGON, seq_num, now)
        # Overwritten: `header` goes by the ledger, which has the numbers of before a reset until this Logon
        # is encoded, and the one of before the Logon that an acceptor answers.
        if config.send_last_processed:
            header.last_msg_seq_num_processed = processed
        if config.sign_logon is not None:
            # The signature covers SendingTime as it stands on the wire.
            sending_time = scalars.format_utctimestamp(header.sending_time)
            values["raw_data"] = config.sign_logon(
                LogonToSign(sending_time, LOGON, seq_num, header.sender_comp_id, header.target_comp_id)
            )
        values["heart_bt_int"] = self.heart_bt_int
        if reset:
            values["reset_seq_num_flag"] = True
        if next_expected is not None:
            values[NEXT_EXPECTED] = next_expected
        logon = core.outbound.admin(LOGON, **values)
        # Before the check, which goes by what is logged on with (`core.place`). An acceptor goes by the
        # peer's Logon instead.
        if config.role is Role.INITIATOR:
            core.learn_logon(logon)
        problems = checker(layout, core.place(config.role.sender, LOGON))(logon)
        if problems:
            raise InvalidMessageError("Logon", problems)
        frame = core.codec.encode(logon, header)
        core.flags = flags
        return frame


def next_expected_of(logon: Any, config: SessionConfig) -> int | None:
    """Return the number that the peer expects next (789), if its Logon says it and it counts here.

    FIXT 1.1 session layer, "Using NextExpectedMsgSeqNum to facilitate message recovery". An initiator offers
    it where its SessionConfig says so; an acceptor answers an offer with its own. Beside ResetSeqNumFlag it
    can only be 1 in the Logon that asks and 2 in the one that answers, as QuickFIX/J has it, and there is
    nothing to resend. On a session type without resend it means nothing.
    """
    if not config.session_type.resend:
        return None
    number: int | None = getattr(logon, NEXT_EXPECTED, None)
    return number


def next_expected_text(offered: int, least: int) -> str:
    """Say that the peer expects a number that was never sent."""
    return f"NextExpectedMsgSeqNum {offered} is too high, expected {least} at most"


def _is_secret(member: Member) -> bool:
    return isinstance(member, FieldMember) and member.field.secret
