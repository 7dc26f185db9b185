"""QuickFIX dictionaries of one product: FIXT11.xml for the session layer and FIX50SP2.xml for the application
messages, or one file such as FIX44.xml where the version of FIX has no separate session layer.

The requirements of QuickFIX's loader (DataDictionary.cpp) and validation determine the form:

- Every field in a message is declared once, under one name, in the same file.
- A MsgType has one body. If the fields differ by direction or session type (QuoteRequest, Quote, ...), the
  body contains every field that is allowed in any of these cases. A field is required if it is required in
  all of them.
- A group entry begins with the first member, and its required members are enforced only in a required group.
- A field with `<value>` elements accepts no other value. The venue adds codes without notice, so only closed
  codesets have these elements. For an open codeset, the known values are a comment, which the loader skips.
- Conditions (`required_when`, `one_of`) cannot be expressed; a message that violates one is still accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from codegen.files import write_files
from codegen.model import CodeSet, Dialect, Field, Group, Member, Message
from codegen.presence import MANDATORY, Place, places, places_of, presences


def write(dialect: Dialect, product: str | None, out: Path) -> list[Path]:
    """Write the dictionaries of a product into the folder `out`, created if needed; return their paths.

    Raises ValueError if the dialect has no such product, or has products and none is given.
    """
    return write_files(render(dialect, product), out)


def render(dialect: Dialect, product: str | None = None) -> dict[str, str]:
    """Return the text of the dictionaries of a product by file name, session layer first.

    `product` is None for a dialect without products. Raises ValueError if the dialect has no such product, or
    has products and none is given.
    """
    if product not in (dialect.product_names or (None,)):
        known = ", ".join(dialect.product_names) or "none"
        raise ValueError(f"{dialect.name} has no product {product!r}; it has {known}")
    product_places = places(dialect, product)
    # Only one version if it includes the session layer, as FIX.4.4 does.
    versions = list(dict.fromkeys((dialect.begin_string, dialect.application_version)))
    title = dialect.title if product is None else f"{dialect.title}, product {product}"
    files = {}
    for version in versions:
        has_session_layer = version == versions[0]
        dictionary = _Dictionary(version, dialect, product_places)
        dictionary.add_block("header", dialect.header if has_session_layer else ())
        dictionary.add_block("trailer", dialect.trailer if has_session_layer else ())
        # The first file contains the session messages, and all others too if it is the only file.
        dictionary.add_messages(
            each for each in dialect.messages if len(versions) == 1 or each.admin == has_session_layer
        )
        files[f"{version.replace('.', '')}.xml"] = dictionary.text(title)
    return files


class _Dictionary:
    """One dictionary under construction, with the fields used in its messages."""

    def __init__(self, version: str, dialect: Dialect, product_places: tuple[Place, ...]) -> None:
        self._dialect = dialect
        self._places = product_places
        self._fields: dict[int, Field] = {}
        kind, major, minor = version.split(".")
        minor, _, pack = minor.partition("SP")
        attributes = {"type": kind, "major": major, "minor": minor, "servicepack": pack or "0"}
        self._root = ET.Element("fix", attributes)

    def add_block(self, name: str, members: Iterable[Member]) -> None:
        """Add the header or the trailer."""
        self._add_members(ET.SubElement(self._root, name), members, self._places)

    def add_messages(self, messages: Iterable[Message]) -> None:
        """Add the messages of the product."""
        parent = ET.SubElement(self._root, "messages")
        for message in messages:
            message_places = places_of(message, self._places)
            if message_places:
                category = "admin" if message.admin else "app"
                attributes = {"name": message.name, "msgtype": message.msg_type, "msgcat": category}
                self._add_members(
                    ET.SubElement(parent, "message", attributes), message.members, message_places
                )

    def text(self, title: str) -> str:
        """Return the file, including declarations of all fields used so far."""
        ET.SubElement(self._root, "components")
        parent = ET.SubElement(self._root, "fields")
        for tag in sorted(self._fields):
            _add_field(parent, self._fields[tag])
        ET.indent(self._root, " ")
        body = ET.tostring(self._root, encoding="unicode", short_empty_elements=True)
        note = f"<!-- Written by `python -m codegen`: {title}. Edit the spec instead. -->"
        return f"<?xml version='1.0' encoding='UTF-8'?>\n{note}\n{body}\n"

    def _add_members(
        self, parent: ET.Element, members: Iterable[Member], at_places: tuple[Place, ...]
    ) -> None:
        for member, length in self._dialect.with_lengths(members):
            member_presences = presences(member, at_places)
            if member_presences == {"forbidden"}:
                continue
            if length is not None:
                self._add(parent, "field", length, required=False)
            # Required only if every place of the message requires it: QuickFIX has one body for all.
            required = all(presence in MANDATORY for presence in member_presences)
            if member.group is None:
                self._add(parent, "field", member.field, required=required)
            else:
                element = self._add(parent, "group", member.field, required=required)
                self._add_members(element, entry_members(member.group), at_places)
            for legacy in member.legacy_fields:
                # A tag has only one declaration. A legacy tag with a different datatype has been reused for
                # another field, whose declaration is kept.
                if legacy.datatype == member.field.datatype:
                    self._add(parent, "field", legacy, required=False)

    def _add(self, parent: ET.Element, kind: str, field: Field, *, required: bool) -> ET.Element:
        # Every field that is used must be declared in the same file.
        self._fields[field.tag] = field
        return ET.SubElement(parent, kind, {"name": field.name, "required": "Y" if required else "N"})


def entry_members(group: Group) -> list[Member]:
    """Return a group's members with the usual delimiter first, because QuickFIX begins an entry with it."""
    opener = group.delimiters[0].tag
    return sorted(group.members, key=lambda member: member.field.tag != opener)


def _add_field(parent: ET.Element, field: Field) -> None:
    attributes = {"number": str(field.tag), "name": field.name, "type": field.datatype.quickfix}
    element = ET.SubElement(parent, "field", attributes)
    if field.codeset is None:
        return
    if field.codeset.open:
        element.append(ET.Comment(f" known values, others may occur: {_listed(field.codeset)} "))
        return
    for code in field.codeset.codes:
        ET.SubElement(element, "value", {"enum": code.value, "description": code.constant})


def _listed(codeset: CodeSet) -> str:
    # An XML comment must not contain two hyphens in a row.
    return ", ".join(f"{code.value} {code.constant}" for code in codeset.codes).replace("--", "- -")
