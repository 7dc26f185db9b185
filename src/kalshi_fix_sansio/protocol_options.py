"""How a session behaves where FIXT 1.1 leaves it a choice.

The defaults serve Kalshi: every end of a session is explained, nothing that could help to diagnose is left
out, and as little as possible is asked for again. `QUICKFIX` is what QuickFIX does, `QUICKFIXJ` what its
Java sibling does, and what the acceptance definitions written for each of them expect.
"""

from __future__ import annotations

from typing import Final

import attrs

from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.problems import Reason


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ProtocolOptions(Value):
    """Choices within FIXT 1.1, each a setting of one session."""

    tell_why: bool = True
    """Whether a Logout with a Text precedes the end where FIXT makes it optional: when what comes as a Logon
    lacks a field or has a wrong CompID or SendingTime, and when the peer has fallen silent."""
    tell_why_refused: bool = True
    """Whether one answers a Logon that is sound and refused for what it asks: its HeartBtInt, its
    DefaultApplVerID, another value."""
    repeat_reject: bool = True
    """Whether a Logout repeats the Text of the Reject before it that has said why already."""
    linger: float = 0.0
    """Seconds to wait, after a Logout that ends the session for a breach of the protocol, for the peer's
    Logout before the connection is closed. FIXT recommends 2; with 0 the connection is closed at once."""
    end_on_garbage_before_logon: bool = False
    """Whether bytes that are no message end the connection while a Logon is awaited, instead of being
    skipped."""
    open_ended_resend: bool = False
    """Whether a ResendRequest asks for everything from the gap on (EndSeqNo 0) instead of the gap alone."""
    test_req_id: str | None = None
    """TestReqID of the TestRequest to a silent peer. None makes one from its MsgSeqNum."""
    answer_patience: float = 1.2
    """How many HeartBtInt the answer to that TestRequest may take."""
    test_requests_in_turn: bool = False
    """Whether a TestRequest behind a gap is answered only when the gap is filled."""
    serve_low_resend_requests: bool = False
    """Whether a ResendRequest is served whose own MsgSeqNum is too low, instead of ending the session."""
    end_on_late_orig_sending_time: bool = False
    """Whether an OrigSendingTime after SendingTime ends the session, beside the Reject."""
    reject_without_tag: frozenset[tuple[Reason, int]] = frozenset()
    """Problems whose Reject leaves out RefTagID (371), by SessionRejectReason (373) and the tag that it would
    name."""
    undefined_tag_reason: Reason = Reason.UNDEFINED_TAG
    """SessionRejectReason for a tag that the dialect does not have."""
    skip_by_check_sum: bool = False
    """Whether a message with a wrong BodyLength is skipped up to the next CheckSum field behind the place
    that BodyLength points to, instead of up to the next BeginString."""


_COMP_IDS = frozenset({(Reason.COMP_ID_PROBLEM, 49), (Reason.COMP_ID_PROBLEM, 56)})

QUICKFIX: Final = ProtocolOptions(
    tell_why=False,
    tell_why_refused=False,
    repeat_reject=False,
    linger=2.0,
    end_on_garbage_before_logon=True,
    test_req_id="TEST",
    answer_patience=1.0,
    open_ended_resend=True,
    test_requests_in_turn=True,
    serve_low_resend_requests=True,
    end_on_late_orig_sending_time=True,
    reject_without_tag=_COMP_IDS
    | {
        (Reason.SENDING_TIME_ACCURACY, 52),
        (Reason.SENDING_TIME_ACCURACY, 122),
        (Reason.INVALID_MSG_TYPE, 35),
        (Reason.VALUE_INCORRECT, 36),
    },
    undefined_tag_reason=Reason.INVALID_TAG_NUMBER,
    skip_by_check_sum=True,
)
"""As QuickFIX behaves."""

QUICKFIXJ: Final = attrs.evolve(
    QUICKFIX, tell_why_refused=True, repeat_reject=True, reject_without_tag=_COMP_IDS
)
"""As QuickFIX/J behaves."""
