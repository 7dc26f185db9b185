"""Compares tags, names and types of fields, wherever a source gives them."""

from __future__ import annotations

from collections.abc import Iterator

from codegen import model
from codegen.diff.documents import columns
from codegen.diff.facts import FieldSaid, MemberSaid, MentionSaid, folded
from codegen.diff.findings import Edit, Evidence, Finding
from kalshi_fix_adapters.documents.mistakes import Location


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Every difference in tags, names and types; what is the same in several lines is one finding."""
    collected: dict[tuple[str, str], tuple[Finding, list[Location]]] = {}
    # Rows in tables of messages count on pages; in a dictionary its list of fields has the same names
    # and types already.
    rows: list[MemberSaid | FieldSaid] = [*evidence.facts(FieldSaid)]
    if evidence.is_pages:
        rows = [*evidence.facts(MemberSaid), *rows]
    for said in rows:
        for finding in _differences(evidence, said):
            _, locations = collected.setdefault((finding.address, finding.says), (finding, []))
            locations.extend(finding.locations)
    for finding, locations in collected.values():
        yield evidence.finding(
            finding.kind,
            finding.element,
            finding.address,
            finding.says,
            finding.what,
            locations,
            finding.edits,
        )
    yield from _mentions(evidence)


def _differences(evidence: Evidence, said: MemberSaid | FieldSaid) -> Iterator[Finding]:
    field = evidence.spec.fields.get(said.tag)
    named = _named(evidence, said.name)
    # A row of a message is told with the message.
    if field is None and named is None:
        if isinstance(said, FieldSaid) and not any(
            said.tag == each.tag for each in evidence.facts(MemberSaid)
        ):
            yield _unknown(evidence, said)
        return
    if (
        named is not None
        and named.tag != said.tag
        and (field is None or folded(field.name) != folded(said.name))
    ):
        text = f"has tag {said.tag}, in the spec {named.tag}"
        yield _differs(evidence, said, named, f"tag {said.tag}", text, f"tag: {said.tag}")
    elif field is not None and said.name and field.name != said.name:
        write = f"`{said.name}: {{tag: {said.tag}, …}}`"
        yield _differs(evidence, said, field, f"name {said.name}", f"is called {said.name}", write)
    yes_no = isinstance(said, MemberSaid) and said.yes_no
    if field is not None and said.type and (wrong := _wrong_type(evidence, said.type, field, yes_no=yes_no)):
        text = f"is of type {said.type}, in the spec {wrong}"
        yield _differs(evidence, said, field, f"type {said.type}", text, "correct `type`")
    if isinstance(said, FieldSaid) and said.message and field is not None:
        yield from _by_the_way(evidence, said, field)


def _by_the_way(evidence: Evidence, said: FieldSaid, field: model.Field) -> Iterator[Finding]:
    """A field in a table that is about a message without being that message's own."""
    message = evidence.spec.messages[said.message]
    if any(field.tag in placed.tags for placed in evidence.spec.members(said.message)):
        return
    yield evidence.new(
        "member",
        f"{message.name}.{field.name}",
        f"{message.name}: {field.name} ({field.tag}) is spoken of as one of its fields",
        [said.location],
        Edit(
            message.location,
            f"`{field.name}: optional` among the members of {message.name}, if it is one",
        ),
    )


def _named(evidence: Evidence, name: str) -> model.Field | None:
    """The field that has this name in the spec, in whatever spelling."""
    tag = evidence.spec.vocabulary.tag_of(name) if name else None
    return evidence.spec.fields[tag] if tag is not None else None


def _wrong_type(evidence: Evidence, said: str, field: model.Field, *, yes_no: bool) -> str:
    """The spec's type, where the source's is another; empty where they agree.

    A field of type Char whose text says that its values are Y and N is BOOLEAN.
    """
    datatype = field.datatype
    if not evidence.is_pages:
        return "" if said.upper() == datatype.quickfix.upper() else datatype.quickfix
    kind = columns.kind(said)
    # Pages have no word for BOOLEAN but Char with the values Y and N.
    if yes_no and datatype.kind == "BOOLEAN" and kind in ("CHAR", "STRING"):
        return ""
    return "" if kind is None or columns.same_kind(kind, datatype.kind) else datatype.name


def _differs(
    evidence: Evidence, said: MemberSaid | FieldSaid, field: model.Field, word: str, text: str, write: str
) -> Finding:
    return evidence.differs(
        "field",
        field.name,
        word,
        f"{field.name} ({field.tag}) {text}",
        [said.location],
        Edit(evidence.spec.field_location(field.name), f"{write}, or keep it and say why"),
    )


def _unknown(evidence: Evidence, said: FieldSaid) -> Finding:
    about = f", of {evidence.spec.block_name(said.message)} it seems" if said.message else ", in no message"
    return evidence.new(
        "field",
        said.name or str(said.tag),
        f"{said.tag} {said.name}: a field that the spec does not know{about}",
        [said.location],
        Edit(
            evidence.spec.file("fields.yaml"),
            f"`{said.name}: {{tag: {said.tag}, …}}` once a message has it",
        ),
        says=f"present as {said.tag}",
    )


def _mentions(evidence: Evidence) -> Iterator[Finding]:
    """Tags in running text that neither the spec nor a table of the source knows."""
    laid_out = {said.tag for said in evidence.facts(MemberSaid)}
    laid_out |= {said.tag for said in evidence.facts(FieldSaid)}
    locations: dict[int, list[Location]] = {}
    names: dict[int, str] = {}
    for said in evidence.facts(MentionSaid):
        if said.kind == "field" and int(said.value) not in laid_out | evidence.spec.fields.keys():
            locations.setdefault(int(said.value), []).append(said.location)
            # The first mention that has the name beside the number.
            names[int(said.value)] = names.get(int(said.value)) or said.name
    for tag, where in locations.items():
        name = names[tag]
        yield evidence.new(
            "field",
            name or str(tag),
            f"tag {tag}{f' ({name})' if name else ''} is spoken of; the spec does not know it",
            where,
            Edit(evidence.spec.file("fields.yaml"), f"`{name or '…'}: {{tag: {tag}, …}}`, and its message"),
            says=f"present as {tag}",
        )
