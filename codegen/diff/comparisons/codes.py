"""Compares the values of coded fields."""

from __future__ import annotations

from collections.abc import Iterator

from codegen import model
from codegen.diff.comparisons import advice
from codegen.diff.facts import MSG_TYPE, CodeSaid, CodesSaid, FieldSaid, MemberSaid, MessageSaid, folded
from codegen.diff.findings import Edit, Evidence, Finding, yaml_words
from kalshi_fix_adapters.documents.mistakes import Location


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Every difference in the values of the fields that the spec knows."""
    by_tag: dict[int, list[CodesSaid]] = {}
    for said in evidence.facts(CodesSaid):
        by_tag.setdefault(said.tag, []).append(said)
    for tag, lists in by_tag.items():
        field = evidence.spec.fields.get(tag)
        if tag == MSG_TYPE:
            yield from _message_types(evidence, lists)
        elif field is not None:
            yield from _new(evidence, field, lists)
            yield from _half_boolean(evidence, field, lists)
            if field.codeset is not None:
                yield from _gone(evidence, field, field.codeset, lists)
    yield from _silent(evidence, set(by_tag))


def _half_boolean(evidence: Evidence, field: model.Field, lists: list[CodesSaid]) -> Iterator[Finding]:
    """A list of the values of a BOOLEAN that has one of the two."""
    for said in lists if field.datatype.kind == "BOOLEAN" else ():
        if len(said.codes) == 1:
            value = said.codes[0].value
            text = f"{field.name} ({field.tag}): {value} is the only value listed"
            edit = Edit(evidence.spec.field_location(field.name), f"a constant {value}, or nothing to change")
            yield evidence.differs(
                "code", f"{field.name}={value}", "the only value", text, [said.location], edit
            )


def _values(field: model.Field) -> dict[str, str]:
    """The names of the values of a field, as the spec has them."""
    if field.datatype.kind == "BOOLEAN":
        return {"Y": "Yes", "N": "No"}
    return {code.value: code.name for code in field.codes}


def _new(evidence: Evidence, field: model.Field, lists: list[CodesSaid]) -> Iterator[Finding]:
    """Values that the spec does not list, and those that it calls by the name of another."""
    known = _values(field)
    locations: dict[str, list[CodeSaid]] = {}
    for said in lists:
        for code in said.codes:
            if code.value not in known:
                locations.setdefault(code.value, []).append(code)
            elif field.codeset is not None:
                yield from _swapped(evidence, field, field.codeset, code, known)
    for value, codes in locations.items():
        label = next((code.label for code in codes if code.label), "")
        yield evidence.new(
            "code",
            f"{field.name}={value}",
            f"{field.name} ({field.tag}): new value {value}{f' ({label})' if label else ''}",
            [code.location for code in codes],
            _code_edit(evidence, field, value, label),
        )


def _code_edit(evidence: Evidence, field: model.Field, value: str, label: str) -> Edit:
    line = f"`{advice.code_line(value, label)}`"
    if field.codeset is None:
        return Edit(field.location, f"`codes: {field.name}`, and a codeset of that name with {line}")
    return Edit(evidence.spec.code_location(field.codeset, field.codeset.codes[-1].name), f"after it {line}")


def _swapped(
    evidence: Evidence, field: model.Field, codeset: model.CodeSet, code: CodeSaid, known: dict[str, str]
) -> Iterator[Finding]:
    """A value under the name that another value has in the spec."""
    label = folded(code.label)
    others = [value for value, name in known.items() if folded(name) == label and value != code.value]
    # Labels may be shortened, so that the beginning of the right name is no other name.
    if label and others and not folded(known[code.value]).startswith(label):
        yield evidence.differs(
            "code",
            f"{field.name}={code.value}",
            f"name {code.label}",
            f"{field.name} ({field.tag}): {code.value} is {code.label}, in the spec that is {others[0]}",
            [code.location],
            Edit(evidence.spec.code_location(codeset, known[code.value]), "correct the value"),
        )


def _gone(
    evidence: Evidence, field: model.Field, codeset: model.CodeSet, lists: list[CodesSaid]
) -> Iterator[Finding]:
    """Values that a whole list leaves out, or that stand nowhere.

    A list in the table of a message is about that message; one of its own is about the field.
    """
    stated = {code.value for said in lists for code in said.codes}
    for code in codeset.codes:
        if not _belongs(evidence, code) or code.pedigree.is_over:
            continue
        # A list that reads as whole, and leaves one out, says that it is gone. Without such a list
        # it is gone only if it stands nowhere.
        for owner, whole in _whole_lists(lists).items():
            for said in whole:
                known = {each.value for each in said.codes} | _excluded(evidence, field, codeset, owner)
                if code.value not in known:
                    yield _missing(evidence, field, codeset, code, owner, [said.location])
        if not _whole_lists(lists) and code.value not in stated and evidence.expects(code.source):
            yield _missing(evidence, field, codeset, code, "", [said.location for said in lists])


def _belongs(evidence: Evidence, code: model.Code) -> bool:
    """Whether a whole list should have a value: not one that only other documents of the venue have."""
    spec = evidence.spec
    documents = [name for name in code.source.split(", ") if name in spec.origins and spec.origins[name].kind]
    if not evidence.is_pages or not documents:
        return True
    return any(spec.pages_of(code.source, product) for product in evidence.products)


def _whole_lists(lists: list[CodesSaid]) -> dict[str, list[CodesSaid]]:
    """Whole lists by the message in whose table they stand; empty for those of the field itself."""
    found: dict[str, list[CodesSaid]] = {}
    for said in lists:
        if said.whole:
            found.setdefault(said.message, []).append(said)
    return found


def _missing(
    evidence: Evidence,
    field: model.Field,
    codeset: model.CodeSet,
    code: model.Code,
    owner: str,
    locations: list[Location],
) -> Finding:
    edit = Edit(
        evidence.spec.code_location(codeset, code.name), f"remove `{code.name}`, or keep it and say why"
    )
    if owner in evidence.spec.messages:
        # From one message the value is not gone altogether.
        edit = _restriction(evidence, field, codeset, owner)
    prefix = f"{evidence.spec.block_name(owner)}." if owner else ""
    where = f" in {evidence.spec.block_name(owner)}" if owner else ""
    return evidence.gone(
        "code",
        f"{prefix}{field.name}={code.value}",
        f"{field.name} ({field.tag}): the values{where} leave out {code.value} ({code.name})",
        locations,
        edit,
        expected_in=code.source,
    )


def _restriction(evidence: Evidence, field: model.Field, codeset: model.CodeSet, owner: str) -> Edit:
    """Values that a message leaves out are not gone: a limit there has those that it names."""
    spec = evidence.spec
    placed = next((each for each in spec.members(owner) if each.field.tag == field.tag), None)
    where = placed.member.location if placed is not None else spec.message_location(spec.messages[owner])
    stated = {
        code.value
        for said in evidence.facts(CodesSaid)
        if said.tag == field.tag and said.message == owner
        for code in said.codes
    }
    names = [code.name for code in codeset.codes if code.value in stated]
    # A member of a group is shared by all messages that have the group, so that the limit has to name
    # the message.
    shared = f"messages: {spec.block_name(owner)}" if placed is not None and placed.path else ""
    when = f"when: {{{shared}}}, " if shared else ""
    scoped = f"when: {{{', '.join(filter(None, ('products: PRODUCTS', shared)))}}}, "
    line, line_scoped = (
        f"`{field.name}`: `limits: {{{each}values: {yaml_words(names)}}}`" for each in (when, scoped)
    )
    return Edit(where, line, line_scoped)


def _excluded(evidence: Evidence, field: model.Field, codeset: model.CodeSet, owner: str) -> set[str]:
    """The values that the spec's limits leave out of a field of a message, whatever else it has."""
    found: set[str] = set()
    message = evidence.spec.messages.get(owner)
    senders = {flow.sender for flow in message.flows} if message is not None else set()
    for placed in evidence.spec.members(owner) if message is not None else ():
        for limit in (*field.limits, *placed.member.limits) if placed.field.tag == field.tag else ():
            scope = limit.when.scope
            # Only limits that hold for the message as a whole: one that depends on a field
            # leaves the value in the list.
            here = not scope.products or set(evidence.products) <= set(scope.products)
            here = here and (scope.sender is None or senders == {scope.sender})
            named = not scope.messages or owner in {key for _, key in scope.messages}
            if limit.values and here and named and not (limit.when.terms or scope.sessions or scope.logon):
                found.update(code.value for code in codeset.codes if code.value not in limit.values)
    return found


def _silent(evidence: Evidence, spoken: set[int]) -> Iterator[Finding]:
    """Fields that are laid out, whose values the spec has from here, and of whose values nothing is said.

    A dictionary that gives values to few of its coded fields means to leave them open.
    """
    if evidence.is_pages:
        laid_out = {said.tag for said in evidence.facts(MemberSaid)}
    else:
        laid_out = {said.tag for said in evidence.facts(FieldSaid)}
        coded = {field.tag for field in evidence.spec.dialect.fields if field.codeset is not None} & laid_out
        # Half is where leaving out stops to be the exception.
        if len(coded & spoken) <= len(coded) / 2:
            return
    for tag in sorted(laid_out - spoken - {MSG_TYPE}):
        field = evidence.spec.fields.get(tag)
        if field is None or field.codeset is None:
            continue
        expected = [code for code in field.codes if evidence.expects(code.source)]
        if expected:
            yield evidence.gone(
                "code",
                field.name,
                f"{field.name} ({field.tag}): its values are not listed",
                [],
                Edit(field.codeset.location, "give the real `source`, or keep it and say why"),
                says="no values",
                expected_in=expected[0].source,
            )


def _message_types(evidence: Evidence, lists: list[CodesSaid]) -> Iterator[Finding]:
    """The values of MsgType, which are the messages; one that is defined is told with the messages."""
    spec = evidence.spec
    listed = {code.value: code for said in lists for code in said.codes}
    defined = {said.msg_type for said in evidence.facts(MessageSaid)}
    for msg_type in defined - listed.keys():
        if msg_type in spec.messages:
            name = spec.messages[msg_type].name
            text = f"MsgType lacks the value {msg_type} of {name}, which is defined"
            edit = Edit(
                spec.message_location(spec.messages[msg_type]), "nothing to change, if the venue forgot it"
            )
            yield evidence.differs("message", name, "no value of MsgType", text, [lists[0].location], edit)
    for value, code in listed.items():
        # `messages` tells of it, with its fields.
        if value not in spec.messages and value in defined:
            continue
        if value not in spec.messages:
            edit = Edit(spec.file("manifest.yaml"), "add the message to a file under messages/")
            text = f"MsgType has the value {value} ({code.label}), a message that the spec does not know"
            yield evidence.new("message", value, text, [code.location], edit, says="listed")
            continue
        if folded(code.label) != folded(spec.messages[value].name):
            message = spec.messages[value]
            edit = Edit(spec.message_location(message), "rename it, or keep it and say why")
            text = f"{message.name}: the value {value} of MsgType is called {code.label}"
            yield evidence.differs("message", message.name, f"name {code.label}", text, [code.location], edit)
