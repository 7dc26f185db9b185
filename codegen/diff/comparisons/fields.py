"""Compare tags, names and types of fields in all sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codegen import model
from codegen.diff.documents import columns
from codegen.diff.facts import Fact, FieldSaid, MemberSaid, folded
from codegen.diff.findings import Evidence, Finding, joined


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Yield all differences in tags, names and types; the same difference on several lines is one finding."""
    # On pages, the rows of message tables count; a dictionary's field list already has the same names and
    # types.
    rows: list[MemberSaid | FieldSaid] = [*evidence.facts(FieldSaid)]
    if evidence.is_pages:
        rows = [*evidence.facts(MemberSaid), *rows]
    laid_out = {said.tag for said in evidence.facts(MemberSaid)}
    found = (finding for said in rows for finding in _differences(evidence, said, laid_out))
    yield from joined(found, lambda each: (each.address, each.says))
    yield from _mentions(evidence, laid_out | {row.tag for row in rows})


def _differences(evidence: Evidence, said: MemberSaid | FieldSaid, laid_out: set[int]) -> Iterator[Finding]:
    spec = evidence.spec
    field = spec.fields.get(said.tag)
    # Field of the spec with this name, ignoring spelling differences.
    tag = spec.vocabulary.tag_of(said.name) if said.name else None
    named = None if tag is None else spec.fields[tag]
    if field is None and named is None:
        # Rows of a message are reported with the message.
        if isinstance(said, FieldSaid) and said.tag not in laid_out:
            yield _unknown(evidence, said)
        return
    if named and named.tag != said.tag and (field is None or folded(field.name) != folded(said.name)):
        yield _differs(evidence, "tag", said, named, tag=said.tag)
    elif field is not None and said.name and field.name != said.name:
        yield _differs(evidence, "name", said, field, name=said.name, tag=said.tag)
    if field is None:
        return
    yes_no = isinstance(said, MemberSaid) and said.yes_no
    if said.type and (own := _own_type(evidence, said.type, field, yes_no=yes_no)):
        yield _differs(evidence, "type", said, field, type=said.type, own=own)
    if isinstance(said, FieldSaid) and said.message:
        yield from _by_the_way(evidence, said, field)


def _differs(evidence: Evidence, what: str, said: Fact, field: model.Field, **values: Any) -> Finding:
    at = evidence.spec.field_location(field.name)
    return evidence.report(f"field {what}", said, at, field=field, **values)


def _by_the_way(evidence: Evidence, said: FieldSaid, field: model.Field) -> Iterator[Finding]:
    """Yield a field from a table about a message that is not the message's own layout."""
    message = evidence.spec.messages[said.message]
    if any(field.tag in placed.tags for placed in evidence.spec.members(said.message)):
        return
    values = {"block": message.name, "name": field.name, "tag": field.tag}
    yield evidence.report("new member mentioned", said, message.location, **values)


def _own_type(evidence: Evidence, said: str, field: model.Field, *, yes_no: bool) -> str:
    """Return the spec's type if the source's type differs, else an empty string.

    A Char field whose text gives the values Y and N is BOOLEAN.
    """
    datatype = field.datatype
    if not evidence.is_pages:
        return "" if said.upper() == datatype.quickfix.upper() else datatype.quickfix
    kind = columns.kind(said)
    # Pages write BOOLEAN as Char with the values Y and N.
    if yes_no and datatype.kind == "BOOLEAN" and kind in ("CHAR", "STRING"):
        return ""
    return "" if kind is None or columns.same_kind(kind, datatype.kind) else datatype.name


def _unknown(evidence: Evidence, said: FieldSaid) -> Finding:
    about = f", of {evidence.spec.block_name(said.message)} it seems" if said.message else ", in no message"
    values = {"name": said.name or str(said.tag), "given": said.name, "tag": said.tag, "about": about}
    return evidence.report("new field listed", said, evidence.spec.file("fields.yaml"), **values)


def _mentions(evidence: Evidence, laid_out: set[int]) -> Iterator[Finding]:
    """Yield tags in running text that neither the spec nor a table of the source has."""
    known = {str(tag) for tag in laid_out | evidence.spec.fields.keys()}
    for tag, mentions in evidence.mentions("field", known).items():
        # First mention with a name next to the number.
        name = next((each.name for each in mentions if each.name), "")
        given, file = f" ({name})" if name else "", evidence.spec.file("fields.yaml")
        values = {"name": name or tag, "given": given, "tag": tag, "placeholder": name or "…"}
        yield evidence.report("new field mentioned", mentions, file, **values)
