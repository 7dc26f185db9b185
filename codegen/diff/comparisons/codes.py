"""Compare the values of fields that have a list of values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from codegen import model
from codegen.diff.comparisons import advice, messages
from codegen.diff.facts import MSG_TYPE, CodesFact, Fact, FieldFact, MemberFact, MessageFact, folded
from codegen.diff.findings import Edit, Evidence, Finding, group_by, yaml_words
from kalshi_fix_adapters.documents.mistakes import Location


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Yield all differences in the values of fields that the spec has."""
    by_tag = evidence.facts_by(CodesFact, lambda each: each.tag)
    for tag, lists in by_tag.items():
        field = evidence.spec.fields.get(tag)
        if tag == MSG_TYPE:
            yield from _message_types(evidence, lists)
        elif field is not None:
            yield from _FieldValues(evidence, field, lists).compare()
    yield from _fields_without_values(evidence, set(by_tag))


@attrs.frozen
class _FieldValues:
    """The values of one field in the spec and in the lists of a source."""

    evidence: Evidence
    field: model.Field
    lists: Sequence[CodesFact]

    def compare(self) -> Iterator[Finding]:
        """Yield all differences."""
        yield from self._new_values()
        if self.field.datatype.kind == "BOOLEAN":
            # Report lists that contain only one of the values Y and N.
            for fact in self.lists:
                if len(fact.codes) == 1:
                    at = self.evidence.spec.location("fields", self.field.name)
                    yield self._report("only", fact, at, value=fact.codes[0].value)
        yield from self._missing_values()

    def _report(self, kind: str, facts: Fact | Iterable[Fact], at: Location, **values: Any) -> Finding:
        return self.evidence.report(f"code {kind}", facts, at, **{"owner": "", "field": self.field, **values})

    def _new_values(self) -> Iterator[Finding]:
        """Yield values that the spec does not list, and values whose label is the name of another value."""
        known = {code.value: code for code in self.field.codes}
        names = {value: folded(code.name) for value, code in known.items()}
        codes_listed = [code for each in self.lists for code in each.codes]
        for code in codes_listed:
            label, own_name = folded(code.label), names.get(code.value, "")
            others = [value for value, name in names.items() if name == label and value != code.value]
            # A label that is the beginning of the right name is a short form, not the name of another value.
            if own_name and label and others and not own_name.startswith(label):
                values = {"value": code.value, "label": code.label, "other": others[0]}
                yield self._report("name", code, known[code.value].location, **values)
        spec_values = {"Y", "N"} if self.field.datatype.kind == "BOOLEAN" else known.keys()
        new = group_by(
            (code for code in codes_listed if code.value not in spec_values), lambda each: each.value
        )
        for value, codes in new.items():
            label = next((code.label for code in codes if code.label), "")
            line = f"`{advice.code_line(value, label)}`"
            if known:
                at, write = self.field.codes[-1].location, f"add {line} after this entry"
            else:
                at = self.field.location
                write = f"`codes: {self.field.name}`, and a codeset of that name with {line}"
            label = f" ({label})" if label else ""
            yield self._report("new", codes, at, value=value, label=label, write=write)

    def _missing_values(self) -> Iterator[Finding]:
        """Yield values that a complete list leaves out, or that no list contains.

        A list in the table of a message applies to that message; any other list applies to the field.
        """
        listed_values = {code.value for fact in self.lists for code in fact.codes}
        complete = group_by((fact for fact in self.lists if fact.complete), lambda each: each.message)
        for code in self.field.codes:
            if not self._is_expected_in_list(code) or code.pedigree.is_removed:
                continue
            # A value missing from a complete list was removed. Without a complete list, it was removed only
            # if no list contains it.
            for owner, lists in complete.items():
                for fact in lists:
                    if code.value not in {each.value for each in fact.codes} | self._excluded(owner):
                        yield self._missing_value_finding(code, owner, [fact])
            if not complete and code.value not in listed_values and self.evidence.expects(code.source):
                yield self._missing_value_finding(code, "", self.lists)

    def _is_expected_in_list(self, code: model.Code) -> bool:
        """Return whether a complete list should contain a value.

        It need not contain values whose source is another of the venue's documents.
        """
        evidence, spec = self.evidence, self.evidence.spec
        documents = [n for n in code.source.split(", ") if n in spec.origins and spec.origins[n].kind]
        if not evidence.is_pages or not documents:
            return True
        return any(spec.pages_of(code.source, product) for product in evidence.products)

    def _missing_value_finding(self, code: model.Code, owner: str, lists: Sequence[Fact]) -> Finding:
        name = self.evidence.spec.block_name(owner)
        edit = Edit(code.location, f"remove `{code.name}`, or keep it with a reason")
        # A value missing from one message's list is still valid in other messages.
        owner_is_message = owner in self.evidence.spec.messages
        return self._report(
            "absent",
            lists,
            self.field.location,
            edits=[self._restriction(owner) if owner_is_message else edit],
            expected_in=code.source,
            owner=f"{name}." if owner else "",
            place=f" in {name}" if owner else "",
            value=code.value,
            name=code.name,
        )

    def _restriction(self, owner: str) -> Edit:
        """Return an edit that limits the field in this message to the values in the message's list."""
        spec, field = self.evidence.spec, self.field
        placed_member = next((each for each in spec.members(owner) if each.field.tag == field.tag), None)
        location = spec.location("messages", spec.messages[owner].name)
        if placed_member is not None:
            location = placed_member.member.location
        listed_values = {code.value for fact in self.lists if fact.message == owner for code in fact.codes}
        names = yaml_words([code.name for code in field.codes if code.value in listed_values])
        # Messages share the members of a group, so the limit must name the message.
        shared = (
            f"messages: {spec.block_name(owner)}" if placed_member is not None and placed_member.path else ""
        )
        # `when_scoped` is for an edit that applies to some products only; the names of these products replace
        # PRODUCTS.
        when = f"when: {{{shared}}}, " if shared else ""
        when_scoped = f"when: {{{', '.join(filter(None, ('products: PRODUCTS', shared)))}}}, "
        lines = (f"`{field.name}`: `limits: {{{each}values: {names}}}`" for each in (when, when_scoped))
        return Edit(location, next(lines), next(lines))

    def _excluded(self, owner: str) -> set[str]:
        """Return the values that the spec's limits exclude from a field of a message unconditionally."""
        spec, field, excluded = self.evidence.spec, self.field, set[str]()
        if owner not in spec.messages:
            return excluded
        places = spec.places(spec.messages[owner], self.evidence.product)
        members = [placed.member for placed in spec.members(owner) if placed.field.tag == field.tag]
        for limit in (limit for member in members for limit in (*field.limits, *member.limits)):
            scope = limit.when.scope
            applies_to_message = not scope.messages or owner in dict(scope.messages).values()
            # A limit that depends on another field is skipped: the list contains values that are excluded
            # only under a condition.
            is_conditional = limit.when.terms or scope.logon
            if (
                limit.values
                and applies_to_message
                and not is_conditional
                and all(each.within(scope) for each in places)
            ):
                excluded.update(code.value for code in field.codes if code.value not in limit.values)
        return excluded


def _fields_without_values(evidence: Evidence, tags_with_values: set[int]) -> Iterator[Finding]:
    """Yield fields with rows but no values in this source, although the spec names it as their source."""
    spec, tags_with_rows = evidence.spec, {fact.tag for fact in evidence.facts(MemberFact)}
    if not evidence.is_pages:
        tags_with_rows = {fact.tag for fact in evidence.facts(FieldFact)}
        tags_with_codeset = {
            field.tag for field in spec.dialect.fields if field.codeset is not None
        } & tags_with_rows
        # A dictionary with values for at most half of these fields omits values on purpose.
        if len(tags_with_codeset & tags_with_values) <= len(tags_with_codeset) / 2:
            return
    for tag in sorted((tags_with_rows & spec.fields.keys()) - tags_with_values - {MSG_TYPE}):
        field = spec.fields[tag]
        expected = next((code.source for code in field.codes if evidence.expects(code.source)), "")
        if field.codeset is not None and expected:
            at = field.codeset.location
            yield evidence.report("codes silent", (), at, expected_in=expected, field=field)


def _message_types(evidence: Evidence, lists: Sequence[CodesFact]) -> Iterator[Finding]:
    """Yield differences in the values of MsgType; defined messages are reported by `messages`."""
    spec = evidence.spec
    listed = {code.value: code for fact in lists for code in fact.codes}
    defined = {fact.msg_type for fact in evidence.facts(MessageFact)}
    for msg_type in sorted(defined - listed.keys()):
        if message := spec.messages.get(msg_type):
            yield messages.report(evidence, "no type", lists[0], message)
    for value, code in listed.items():
        message = spec.messages.get(value)
        if message is not None and folded(code.label) != folded(message.name):
            yield messages.report(evidence, "type name", code, message, name=code.label)
        # `messages` reports a defined message together with its fields.
        elif message is None and value not in defined:
            values = {"name": value, "label": code.label}
            yield evidence.report("new message listed", code, spec.end_of_file("manifest.yaml"), **values)
