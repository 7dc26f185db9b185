"""Compare tags, names and types of fields in all sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codegen import model
from codegen.diff.documents import columns
from codegen.diff.facts import Fact, FieldFact, MemberFact, folded
from codegen.diff.findings import Evidence, Finding, merge_by


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Yield all differences in tags, names and types; the same difference on several lines is one finding."""
    # On pages, the rows of message tables are compared too. In a dictionary, members take their
    # name and type from the list of fields.
    rows: list[MemberFact | FieldFact] = [*evidence.facts(FieldFact)]
    if evidence.is_pages:
        rows = [*evidence.facts(MemberFact), *rows]
    member_tags = {fact.tag for fact in evidence.facts(MemberFact)}
    findings = (finding for fact in rows for finding in _differences(evidence, fact, member_tags))
    yield from merge_by(findings, lambda finding: (finding.address, finding.in_source))
    yield from _mentions(evidence, member_tags | {row.tag for row in rows})


def _differences(
    evidence: Evidence, fact: MemberFact | FieldFact, member_tags: set[int]
) -> Iterator[Finding]:
    spec = evidence.spec
    field = spec.fields.get(fact.tag)
    # The field of the spec with this name, except for differences in spelling.
    tag = spec.vocabulary.tag_of(fact.name) if fact.name else None
    same_name_field = None if tag is None else spec.fields[tag]
    if field is None and same_name_field is None:
        # Rows of a message are reported with the message.
        if isinstance(fact, FieldFact) and fact.tag not in member_tags:
            about = f", probably of {spec.block_name(fact.message)}" if fact.message else ", in no message"
            values = {"name": fact.name or str(fact.tag), "given": fact.name, "tag": fact.tag, "about": about}
            yield evidence.report("new field listed", fact, spec.end_of_file("fields.yaml"), **values)
        return
    if (
        same_name_field
        and same_name_field.tag != fact.tag
        and (field is None or folded(field.name) != folded(fact.name))
    ):
        yield _difference(evidence, "tag", fact, same_name_field, tag=fact.tag)
    elif field is not None and fact.name and field.name != fact.name:
        yield _difference(evidence, "name", fact, field, name=fact.name, tag=fact.tag)
    if field is None:
        return
    yes_no = isinstance(fact, MemberFact) and fact.yes_no
    if fact.type and (spec_type := _differing_type(evidence, fact.type, field, yes_no=yes_no)):
        yield _difference(evidence, "type", fact, field, type=fact.type, in_spec=spec_type)
    # A row with a message is in a table that mentions the message without listing its fields.
    if isinstance(fact, FieldFact) and fact.message:
        message = spec.messages[fact.message]
        if not any(field.tag in member.tags for member in spec.members(fact.message)):
            values = {"block": message.name, "name": field.name, "tag": field.tag}
            yield evidence.report("new member mentioned", fact, message.location, **values)


def _difference(evidence: Evidence, aspect: str, fact: Fact, field: model.Field, **values: Any) -> Finding:
    location = evidence.spec.location("fields", field.name)
    return evidence.report(f"field {aspect}", fact, location, field=field, **values)


def _differing_type(evidence: Evidence, type_text: str, field: model.Field, *, yes_no: bool) -> str:
    """Return the type in the spec if the source has another type, else an empty string."""
    datatype = field.datatype
    if not evidence.is_pages:
        return "" if type_text.upper() == datatype.quickfix.upper() else datatype.quickfix
    kind = columns.kind(type_text)
    # Pages write BOOLEAN as Char with the values Y and N.
    if yes_no and datatype.kind == "BOOLEAN" and kind in ("CHAR", "STRING"):
        return ""
    return "" if kind is None or columns.same_kind(kind, datatype.kind) else datatype.name


def _mentions(evidence: Evidence, table_tags: set[int]) -> Iterator[Finding]:
    """Yield a finding for each tag in running text that neither the spec nor a table contains."""
    known = {str(tag) for tag in table_tags | evidence.spec.fields.keys()}
    for tag, mentions in evidence.mentions("field", known).items():
        # Use the name in the first mention that has one next to the number.
        name = next((each.name for each in mentions if each.name), "")
        given, file = f" ({name})" if name else "", evidence.spec.end_of_file("fields.yaml")
        values = {"name": name or tag, "given": given, "tag": tag, "placeholder": name or "…"}
        yield evidence.report("new field mentioned", mentions, file, **values)
