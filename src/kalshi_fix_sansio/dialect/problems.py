"""Problems with a message, classified by SessionRejectReason (373)."""

from __future__ import annotations

from enum import IntEnum

import attrs


class Reason(IntEnum):
    """SessionRejectReason (373) of the FIXT 1.1 session layer; the venue uses the same numbers."""

    INVALID_TAG_NUMBER = 0
    REQUIRED_TAG_MISSING = 1
    TAG_NOT_DEFINED_FOR_MESSAGE = 2
    UNDEFINED_TAG = 3
    TAG_WITHOUT_VALUE = 4
    VALUE_INCORRECT = 5
    INCORRECT_DATA_FORMAT = 6
    DECRYPTION_PROBLEM = 7
    SIGNATURE_PROBLEM = 8
    COMP_ID_PROBLEM = 9
    SENDING_TIME_ACCURACY = 10
    INVALID_MSG_TYPE = 11
    XML_VALIDATION_ERROR = 12
    TAG_REPEATED = 13
    TAG_OUT_OF_ORDER = 14
    GROUP_FIELDS_OUT_OF_ORDER = 15
    WRONG_NUM_IN_GROUP = 16
    VALUE_INCLUDES_DELIMITER = 17
    UNSUPPORTED_APPL_VERSION = 18
    OTHER = 99


@attrs.frozen
class Problem:
    """A problem with one field or, if `tag` is None, with the message as a whole.

    Attributes:
        reason: SessionRejectReason (373) for a Reject of the message.
        text: A sentence for display: the name of the field, the value found and the value expected.
        tag: The tag concerned, which a Reject contains as RefTagID (371).
        value: The value on the wire; None for secret fields and missing ones.
    """

    reason: Reason
    text: str
    tag: int | None = None
    value: str | None = None

    def __str__(self) -> str:
        return self.text
