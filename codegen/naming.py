"""How FIX names become Python names.

A run of capitals is one word (`MDEntryPx`, `MVEValidationReasonCode`), digits belong to the word
before them (`FIX50SP2`), and `IDs` is one word (`NoPartyIDs`).
"""

from __future__ import annotations

import keyword
import re

# In this order: each alternative would be cut short by the ones below it.
_WORD = re.compile(
    r"""
    (?:[A-Z][A-Z0-9]*)?IDs(?![a-z])        # PartyIDs, MVEIDs
    | [A-Z][A-Z0-9]*(?=[A-Z][a-z])         # MD in MDEntry, RFQ in RFQCancel
    | [A-Z][a-z0-9]+                       # Entry, Px, Spread2
    | [A-Z][A-Z0-9]*                       # ID, FIX50SP2
    | [a-z0-9]+
    """,
    re.VERBOSE,
)

FIX_NAME = re.compile(r"[A-Z][A-Za-z0-9]*\Z")
"""Naming rules for fields, groups, messages, codesets and codes."""

RESERVED_ATTRIBUTES = frozenset({"header", "trailer", "unknown", "problems", "get_unknown"})
"""Names every generated class already has."""

RESERVED_CLASSES = frozenset(
    {
        # Names that the generated modules define or import.
        *("Any", "Block", "BlockLayout", "ClassVar", "Decimal", "FieldLayout", "FieldMember", "FixMessage"),
        *(
            "GroupMember",
            "Header",
            "IntEnum",
            "LogonFields",
            "Message",
            "MessageLayout",
            "StrEnum",
            "Trailer",
        ),
        # Names that the package exports in addition to the generated classes.
        *("Codec", "DecodeError", "Dialect", "EncodeError", "Frame", "Framer", "Garbled", "Instant"),
        *("InvalidMessageError", "Kind", "LocalProtocolError", "Presence", "Problem", "Reason", "Role"),
        *(
            "Scope",
            "Sender",
            "Session",
            "SessionConfig",
            "SessionType",
            "Signer",
            "UnknownMessage",
            "Verifier",
        ),
        *("True", "False", "None"),
    }
)
"""Class names that a message, a group entry or a codeset may not take."""


def snake_case(name: str) -> str:
    """Return the attribute name of a FIX name: `ClOrdID` is `cl_ord_id`."""
    return "_".join(word.lower() for word in _WORD.findall(name))


def attribute_name(name: str) -> str:
    """Return the attribute name of a field: its snake case, with `_` behind it where Python has that word."""
    attribute = snake_case(name)
    return f"{attribute}_" if keyword.iskeyword(attribute) else attribute


def code_name(description: str) -> str:
    """Return the FIX-style name of a source's code name: `PartiallyFilled` for `PARTIALLY_FILLED`."""
    words = re.findall(r"[A-Za-z0-9]+", description)
    # A word in capitals is lowered, one with capitals inside is left as it is: `CancelRFQ`.
    name = "".join(word[0].upper() + (word[1:].lower() if word.isupper() else word[1:]) for word in words)
    # A name cannot begin with a digit.
    return name if name[:1].isalpha() else f"Value{name}"


def upper_snake(name: str) -> str:
    """Return the enum member's name of a code: `PartiallyFilled` is `PARTIALLY_FILLED`."""
    return snake_case(name).upper()


def text_constant(value: str) -> str:
    """Return the enum member's name of a text: its words in capitals, such as POST_ONLY_CROSS."""
    name = "_".join(re.findall(r"[A-Za-z0-9]+", value)).upper()
    return name if name[:1].isalpha() else f"TEXT_{name}"


def texts_class(message: str) -> str:
    """Return the name of the enum with the texts that a message is known to carry."""
    return f"{message}Text"


def list_attribute(counter: str) -> str:
    """Return the attribute of a repeating group, from its counter: `NoMiscFees` is `misc_fees`."""
    # `NotionalGrp` is no counter.
    if re.match(r"No[A-Z]", counter):
        counter = counter[2:]
    return snake_case(counter)


def is_attribute(name: str) -> bool:
    """Return whether a generated class may have an attribute of this name."""
    return _is_identifier(name) and name not in RESERVED_ATTRIBUTES


def is_class_name(name: str) -> bool:
    """Return whether a generated module may define a class of this name."""
    return _is_identifier(name) and name not in RESERVED_CLASSES


def is_module_name(name: str) -> bool:
    """Return whether a generated module may have this name."""
    return _is_identifier(name) and name == name.lower()


def _is_identifier(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)
