"""Conversion of FIX names to Python names.

A run of capitals is one word (`MDEntryPx`, `MVEValidationReasonCode`), digits belong to the word before them
(`FIX50SP2`), and `IDs` is one word (`NoPartyIDs`).
"""

from __future__ import annotations

import keyword
import re

# The order matters: a later alternative would match only part of a word.
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
"""Pattern of names of fields, groups, messages, codesets and codes."""

RESERVED_ATTRIBUTES = frozenset({"header", "trailer", "unknown", "problems", "get_unknown"})
"""Names that every generated class already has."""

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
"""Class names that a message, a group entry or a codeset must not have."""


def snake_case(name: str) -> str:
    """Return the attribute name of a FIX name: `cl_ord_id` for `ClOrdID`."""
    return "_".join(word.lower() for word in _WORD.findall(name))


def attribute_name(name: str) -> str:
    """Return the attribute name of a field: its name in snake case, with a trailing `_` if that is a Python
    keyword.
    """
    attribute = snake_case(name)
    return f"{attribute}_" if keyword.iskeyword(attribute) else attribute


def code_name(description: str) -> str:
    """Convert the name of a code in a source to FIX style: `PartiallyFilled` for `PARTIALLY_FILLED`."""
    words = re.findall(r"[A-Za-z0-9]+", description)
    # A word in capitals is lowercased after its first letter; a mixed-case one is unchanged: `CancelRFQ`.
    name = "".join(word[0].upper() + (word[1:].lower() if word.isupper() else word[1:]) for word in words)
    # A name cannot begin with a digit.
    return name if name[:1].isalpha() else f"Value{name}"


def upper_snake(name: str) -> str:
    """Return the name of a code's enum member: `PARTIALLY_FILLED` for `PartiallyFilled`."""
    return snake_case(name).upper()


def text_constant(value: str) -> str:
    """Return the name of a text's enum member: its words in capitals, such as POST_ONLY_CROSS."""
    name = "_".join(re.findall(r"[A-Za-z0-9]+", value)).upper()
    return name if name[:1].isalpha() else f"TEXT_{name}"


def texts_class(message: str) -> str:
    """Return the name of the enum of a message's known texts."""
    return f"{message}Text"


def list_attribute(counter: str) -> str:
    """Return the attribute of a repeating group for its counter: `misc_fees` for `NoMiscFees`."""
    # In a counter, a capital letter follows `No`, so `NotionalGrp` keeps its `No`.
    if re.match(r"No[A-Z]", counter):
        counter = counter[2:]
    return snake_case(counter)


def is_attribute(name: str) -> bool:
    """Return whether a generated class may have an attribute with this name."""
    return _is_identifier(name) and name not in RESERVED_ATTRIBUTES


def is_class_name(name: str) -> bool:
    """Return whether a generated module may define a class with this name."""
    return _is_identifier(name) and name not in RESERVED_CLASSES


def is_module_name(name: str) -> bool:
    """Return whether a generated module may have this name."""
    return _is_identifier(name) and name == name.lower()


def _is_identifier(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)
