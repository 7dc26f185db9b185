"""Views of the layouts: constructor expressions of `kalshi_fix_sansio.layout`.

The expressions are written in one line; the formatter lays them out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

import attrs

from codegen.emit.classes import LOGON_FIELDS, attributes_of, logon_fields
from codegen.emit.encoders import encoder_name
from codegen.emit.imports import Imports
from codegen.model import (
    Answers,
    Condition,
    Field,
    Group,
    Limit,
    Member,
    Message,
    OneOf,
    PresenceRule,
    Refusal,
    Scope,
    SessionType,
    Terms,
)
from codegen.naming import upper_snake

LAYOUT = "kalshi_fix_sansio.layout"
# The arguments of `layout.OneOf` for each mode of a rule; exactly one is what it means without any.
_ONE_OF_FLAGS: dict[str, dict[str, str]] = {
    "exactly_one": {},
    "at_most_one": {"optional": "True"},
    "at_least_one": {"at_least": "True"},
}


@attrs.frozen
class FieldView:
    """One field's layout."""

    constant: str
    expression: str
    name: str


@attrs.frozen
class BlockView:
    """The layout of a header, a trailer or a group entry."""

    constant: str
    cls: str
    """An expression: the dotted name of the class, as that of the encoder in `arguments`."""
    name: str
    arguments: tuple[str, ...]
    """Keyword arguments that come after the members."""
    members: tuple[tuple[str, int], ...]
    """Expressions, with the tag of each."""


@attrs.frozen
class MessageView:
    """The layout of a message."""

    constant: str
    msg_type: str
    admin: str
    flows: tuple[str, ...]
    body: BlockView
    arguments: tuple[str, ...]
    """Keyword arguments that come after the body."""


@attrs.frozen
class LogonFieldsView:
    """The layout of what a Logon says beside what the session writes."""

    constant: str
    cls: str
    name: str
    of: str
    """The constant of the Logon's layout, whose members it shares."""
    without: str
    """An expression: the attributes that it leaves out."""


@attrs.define
class LayoutWriter:
    """Writes the expressions of one module and collects what they import."""

    imports: Imports
    package: str
    in_groups_module: bool = False
    """Whether this is the module of group layouts, which nests its own constants."""

    def field(self, field: Field) -> FieldView:
        """Return the layout of a field."""
        self.imports.line_each(LAYOUT, "Kind")
        arguments: dict[str, str] = {
            "tag": str(field.tag),
            "name": repr(field.name),
            "attribute": repr(field.attribute),
            "kind": f"Kind.{field.datatype.kind}",
            "fix_type": repr(field.datatype.name),
        }
        if field.codeset:
            self.imports.line_each(f"{self.package}.codesets", field.codeset.name)
            arguments["codes"] = field.codeset.name
            if not field.codeset.open:
                arguments["open_codes"] = "False"
        if field.unit:
            arguments["unit"] = repr(field.unit)
        arguments |= _given(field, "length_tag", "minimum", "maximum", "max_length")
        if field.pattern is not None:
            arguments["pattern"] = raw_string(field.pattern)
        if field.limits:
            arguments["limits"] = sequence(self._limit(limit) for limit in field.limits)
        if field.secret:
            arguments["secret"] = "True"  # noqa: S105 - the flag, not a secret
        return FieldView(field_constant(field), self._call("FieldLayout", **arguments), field.name)

    def block(
        self, name: str, members: tuple[Member, ...], one_of: tuple[OneOf, ...], module: str
    ) -> BlockView:
        """Return the layout of a block whose class is in `module` of the package."""
        self.imports.line_each(LAYOUT, "BlockLayout")
        place = f"{self.package}.{module}"
        # By dotted name, since the class imports the module of its layout.
        arguments = [f"encode={f'{place}.{encoder_name(name)}'!r}"]
        if one_of:
            arguments.append(f"one_of={sequence(self._one_of(rule) for rule in one_of)}")
        return BlockView(
            constant=upper_snake(name),
            cls=repr(f"{place}.{name}"),
            name=repr(name),
            arguments=tuple(arguments),
            members=tuple((self._member(member), member.field.tag) for member in attributes_of(members)),
        )

    def logon_fields(self, message: Message) -> LogonFieldsView:
        """Return the layout of the further fields of a Logon."""
        self.imports.line_each(LAYOUT, "BlockLayout")
        self.imports.in_one_line("kalshi_fix_sansio.support", "never_encoded")
        # What the class of these fields has; the rest of the Logon's layout is left out of theirs.
        kept = {member.attribute for member in logon_fields(message)}
        left = [member.attribute for member in attributes_of(message.members) if member.attribute not in kept]
        without = ", ".join(map(repr, left))
        return LogonFieldsView(
            upper_snake(LOGON_FIELDS),
            repr(f"{self.package}.messages.{message.family}.{LOGON_FIELDS}"),
            repr(LOGON_FIELDS),
            upper_snake(message.name),
            f"{{{without}}}",
        )

    def message(self, message: Message) -> MessageView:
        """Return the layout of a message."""
        self.imports.line_each(LAYOUT, "MessageLayout")
        module = f"messages.{message.family}"
        body = self.block(message.name, message.members, message.one_of, module)
        return MessageView(
            constant=body.constant,
            msg_type=repr(message.msg_type),
            admin=str(message.admin),
            flows=tuple(self._scope(flow) for flow in message.flows),
            body=body,
            arguments=tuple(self._requests(message)),
        )

    def _requests(self, message: Message) -> Iterator[str]:
        if message.request:
            yield f"request={sequence(map(repr, message.request))}"
        if message.answers:
            yield f"answers={sequence(map(self._answers, message.answers))}"
        tracks = message.tracks
        if tracks is not None:
            conditions = (self._condition(tracks.resting), self._condition(tracks.done))
            sessions = sequence(map(repr, tracks.sessions))
            yield f"tracks={self._call('Tracks', repr(tracks.field.attribute), sessions, *conditions)}"

    def _answers(self, answers: Answers) -> str:
        arguments = {}
        if answers.field is not None:
            arguments = {"attribute": repr(answers.field.attribute), "names": repr(answers.names)}
        # Model and layout call these alike, here and below.
        for name in ("when", "unless", "open_when"):
            condition: Condition | None = getattr(answers, name)
            if condition is not None:
                arguments[name] = self._condition(condition)
        if answers.makes is not None:
            msg_type, field = answers.makes
            arguments["makes"] = sequence((repr(msg_type), repr(field.attribute)))
        asked = f"frozenset({sequence(map(repr, answers.msg_types))})"
        return self._call("Answers", asked, **arguments)

    def _member(self, member: Member) -> str:
        arguments: dict[str, str] = {}
        group = member.group
        if group:
            # Inside of its own module a layout is known without one.
            prefix = ""
            if not self.in_groups_module:
                self.imports.line_each(f"{self.package}.layouts", "groups")
                prefix = "groups."
            arguments["attribute"] = repr(member.attribute)
            arguments["entry"] = f"{prefix}{upper_snake(group.entry_class)}"
            arguments["delimiters"] = sequence(str(field.tag) for field in group.delimiters)
        self.imports.line_each(f"{self.package}.layouts", "fields")
        # To whoever validates, a constant is a required field with a default.
        presence = "required" if member.presence == "constant" else member.presence
        if presence != "optional":
            arguments["presence"] = self._presence(presence)
        if member.rules:
            arguments["rules"] = sequence(self._rule(rule) for rule in member.rules)
        for name in ("required_when", "forbidden_when", "only_when"):
            conditions: tuple[Condition, ...] = getattr(member, name)
            if conditions:
                arguments[name] = sequence(self._condition(condition) for condition in conditions)
        if group and group.minimum:
            arguments["minimum"] = str(group.minimum)
        if group:
            arguments |= _given(group, "maximum")
        if member.limits:
            arguments["limits"] = sequence(self._limit(limit) for limit in member.limits)
        if member.legacy_fields:
            arguments["legacy_tags"] = sequence(str(field.tag) for field in member.legacy_fields)
        cls = "GroupMember" if group else "FieldMember"
        return self._call(cls, f"fields.{field_constant(member.field)}", **arguments)

    def _call(self, cls: str, *positional: str, **named: str) -> str:
        """Return a call of one of the layout's classes, which the module imports then."""
        self.imports.line_each(LAYOUT, cls)
        return call(cls, *positional, **named)

    def _presence(self, presence: str) -> str:
        self.imports.line_each(LAYOUT, "Presence")
        return f"Presence.{presence.upper()}"

    def _rule(self, rule: PresenceRule) -> str:
        return self._call("PresenceRule", self._scope(rule.scope), self._presence(rule.presence))

    def _condition(self, condition: Condition) -> str:
        arguments: dict[str, str] = {}
        if condition.terms:
            arguments["terms"] = _terms(condition.terms)
        if condition.scope != Scope():
            arguments["scope"] = self._scope(condition.scope)
        # By far the most common form, so the shortest.
        if list(arguments) == ["terms"]:
            return self._call("Condition", arguments["terms"])
        return self._call("Condition", **arguments)

    def _limit(self, limit: Limit) -> str:
        arguments: dict[str, str] = {}
        if limit.when != Condition():
            arguments["when"] = self._condition(limit.when)
        for name in ("minimum", "maximum", "step"):
            number = getattr(limit, name)
            if number is not None:
                # Of a limit each number has a type of its own: whole ones stay int.
                whole = "." not in number
                if not whole:
                    self.imports.line_each("decimal", "Decimal")
                arguments[name] = number if whole else f"Decimal({number!r})"
        arguments |= _given(limit, "max_length")
        if limit.pattern is not None:
            arguments["pattern"] = raw_string(limit.pattern)
        if limit.values:
            arguments["values"] = sequence(map(repr, limit.values))
        if limit.unit is not None:
            arguments["unit"] = repr(limit.unit)
        return self._call("Limit", **arguments)

    def _scope(self, scope: Scope) -> str:
        arguments: dict[str, str] = {}
        if scope.products:
            arguments["products"] = sequence(map(repr, scope.products))
        if scope.sessions:
            arguments["sessions"] = sequence(map(repr, scope.sessions))
        if scope.sender:
            self.imports.line_each(LAYOUT, "Sender")
            arguments["sender"] = f"Sender.{scope.sender.upper()}"
        if scope.messages:
            arguments["messages"] = sequence(repr(msg_type) for _, msg_type in scope.messages)
        if scope.logon:
            arguments["logon"] = _terms(scope.logon)
        return self._call("Scope", **arguments)

    def _one_of(self, rule: OneOf) -> str:
        arguments = dict(_ONE_OF_FLAGS[rule.mode])
        if rule.scope != Scope():
            arguments["scope"] = self._scope(rule.scope)
        return self._call("OneOf", sequence(map(repr, rule.names)), **arguments)


def _given(element: Field | Limit | Group | SessionType, *names: str) -> dict[str, str]:
    """Return those of the numbers that an element gives; model and layout call them alike."""
    return {name: str(value) for name in names if (value := getattr(element, name)) is not None}


def _terms(terms: Terms) -> str:
    return sequence(
        f"({name!r}, {None if values is None else sequence(map(repr, values))})" for name, values in terms
    )


def session_type_expression(session_type: SessionType) -> str:
    """Return the layout of a session type."""
    arguments = {
        "name": repr(session_type.name),
        "resend": str(session_type.resend),
        "reset_required": str(session_type.reset_required),
        "products": sequence(map(repr, session_type.products)),
        "port": str(session_type.port),
        "host_role": repr(session_type.host_role),
        "purpose": text_literal(session_type.purpose),
        "comp_ids": sequence(map(repr, session_type.comp_ids)),
    }
    limits = ("max_message_size", "requests_per_second", "symbols_per_request", "subscriptions")
    arguments |= _given(session_type, *limits, "past_reports_hours", "retention_hours")
    return call("SessionType", **arguments)


def refusal_expression(refusal: Refusal) -> str:
    """Return the layout of a reason for refusing a Logon."""
    return call(
        "Refusal", name=repr(refusal.name), pattern=text_literal(refusal.pattern), cure=repr(refusal.cure)
    )


def field_constant(field: Field) -> str:
    """Return the name of a field's layout."""
    return upper_snake(field.name)


def call(function: str, *positional: str, **named: str) -> str:
    """Return a call as an expression."""
    arguments = [*positional, *(f"{name}={value}" for name, value in named.items())]
    return f"{function}({', '.join(arguments)})"


def sequence(items: Iterable[str]) -> str:
    """Return a tuple as an expression."""
    listed = list(items)
    return f"({listed[0]},)" if len(listed) == 1 else f"({', '.join(listed)})"


def text_literal(text: str) -> str:
    """Return a string literal, in pieces of a line each if it is long."""
    # Spaces stay at the ends of pieces, which Python joins without any.
    pieces = textwrap.wrap(text, 80, drop_whitespace=False, break_long_words=False, break_on_hyphens=False)
    return f"({' '.join(map(repr, pieces))})" if len(pieces) > 1 else repr(text)


def raw_string(text: str) -> str:
    """Return a string literal that reads well for a regular expression."""
    # A raw string can hold neither its own quote nor a backslash at its end.
    if '"' in text or text.endswith("\\"):
        return repr(text)
    return f'r"{text}"' if "\\" in text else f'"{text}"'
