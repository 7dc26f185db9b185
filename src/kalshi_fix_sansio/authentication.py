"""What a signed Logon covers, as a value: the meeting point of the session and of whoever signs."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from kalshi_fix_sansio.classes.explained import explained


@explained
@attrs.frozen
class LogonToSign:
    """The header values of one Logon attempt, in the exact form they have on the wire."""

    sending_time: str
    """SendingTime (52) as in the message, such as `20260821-14:03:07.123`."""
    msg_type: str
    """MsgType (35): A."""
    msg_seq_num: int
    """MsgSeqNum (34)."""
    sender_comp_id: str
    """SenderCompID (49): the API key."""
    target_comp_id: str
    """TargetCompID (56): the session type, such as KalshiNR."""


SignLogon = Callable[[LogonToSign], bytes]
"""Makes the RawData (96) of a Logon; called anew for every attempt, so no signature is sent twice."""
