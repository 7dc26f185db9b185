"""Template views of the layouts. They contain expressions that call the classes of
`kalshi_fix_sansio.dialect.layout`.

The expressions are written on one line; the formatter wraps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from codegen.emit.classes import LOGON_FIELDS, attributes_of, logon_fields
from codegen.emit.docstrings import wrap
from codegen.emit.encoders import encoder_name
from codegen.emit.imports import Imports
from codegen.model import (
    AnswerRule,
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

LAYOUT = "kalshi_fix_sansio.dialect.layout"
# Arguments of `layout.OneOf` for each mode of a rule; no arguments mean exactly one.
_ONE_OF_FLAGS: dict[str, dict[str, str]] = {
    "exactly_one": {},
    "at_most_one": {"optional": "True"},
    "at_least_one": {"at_least": "True"},
}


@attrs.frozen
class BlockView:
    """Layout of a header, a trailer or a group entry."""

    constant: str
    cls: str
    """Dotted name of the class, as a string literal; `arguments` names the encoder in the same way."""
    name: str
    arguments: tuple[str, ...]
    """Keyword arguments after the members."""
    members: tuple[tuple[str, int], ...]
    """Expressions, each with its tag."""


@attrs.frozen
class MessageView:
    """Layout of a message."""

    constant: str
    msg_type: str
    admin: str
    flows: tuple[str, ...]
    body: BlockView
    arguments: tuple[str, ...]
    """Keyword arguments after the body."""


@attrs.define
class LayoutWriter:
    """Builds the expressions of one module and collects their imports."""

    imports: Imports
    package: str
    in_groups_module: bool = False
    """Whether this is the module of group layouts, where nested layouts are local names."""

    def field(self, field: Field) -> tuple[str, str]:
        """Return the constant of a field's layout, and its expression."""
        self.imports.import_one_per_line(LAYOUT, "Kind")
        if field.codeset:
            self.imports.import_one_per_line(f"{self.package}.codesets", field.codeset.name)
        expression = self._call(
            "FieldLayout",
            tag=str(field.tag),
            name=repr(field.name),
            attribute=repr(field.attribute),
            kind=f"Kind.{field.datatype.kind}",
            fix_type=repr(field.datatype.name),
            codes=field.codeset.name if field.codeset else None,
            open_codes="False" if field.codeset and not field.codeset.open else None,
            unit=repr(field.unit) if field.unit else None,
            **_number_arguments(field, "length_tag", "minimum", "maximum", "max_length"),
            pattern=_pattern(field.pattern),
            limits=_tuple_or_none(map(self._limit, field.limits)),
            secret="True" if field.secret else None,
        )
        return field_constant(field), expression

    def block(
        self, name: str, members: tuple[Member, ...], one_of: tuple[OneOf, ...], module: str
    ) -> BlockView:
        """Return the layout of a block whose class is in `module` of the package."""
        self.imports.import_one_per_line(LAYOUT, "BlockLayout")
        module_path = f"{self.package}.{module}"
        # The encoder is named, not imported, because its module imports the module of the layout.
        arguments = [f"encode={f'{module_path}.{encoder_name(name)}'!r}"]
        if one_of:
            arguments.append(f"one_of={tuple_expression(self._one_of(rule) for rule in one_of)}")
        return BlockView(
            constant=upper_snake(name),
            cls=repr(f"{module_path}.{name}"),
            name=repr(name),
            arguments=tuple(arguments),
            members=tuple((self.member(member), member.field.tag) for member in attributes_of(members)),
        )

    def logon_fields(self, message: Message) -> tuple[str, str]:
        """Return the layout of the Logon fields that the session does not write: the name of its constant,
        and its expression.
        """
        self.imports.import_on_one_line("kalshi_fix_sansio.dialect.support", "refuse_to_encode")
        # Attributes of the class; all others of the Logon's layout are omitted.
        included = {member.attribute for member in logon_fields(message)}
        omitted = [
            each.attribute for each in attributes_of(message.members) if each.attribute not in included
        ]
        all_members = f"member for member in {upper_snake(message.name)}.body.members"
        return upper_snake(LOGON_FIELDS), self._call(
            "BlockLayout",
            name=repr(LOGON_FIELDS),
            cls=repr(f"{self.package}.messages.{message.family}.{LOGON_FIELDS}"),
            members=f"tuple({all_members} if member.attribute not in {{{', '.join(map(repr, omitted))}}})",
            encode="refuse_to_encode",
        )

    def message(self, message: Message) -> MessageView:
        """Return the layout of a message."""
        self.imports.import_one_per_line(LAYOUT, "MessageLayout")
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
            yield f"request={tuple_expression(map(repr, message.request))}"
        if message.answers:
            yield f"answers={tuple_expression(map(self._answer_rule, message.answers))}"
        tracks = message.tracks
        if tracks is not None:
            field, sessions = repr(tracks.field.attribute), tuple_expression(map(repr, tracks.sessions))
            resting, done = self._condition(tracks.resting), self._condition(tracks.done)
            yield f"tracks={self._call('RestingOrderRule', field, sessions, resting, done)}"

    def _answer_rule(self, rule: AnswerRule) -> str:
        requests = f"frozenset({tuple_expression(map(repr, rule.msg_types))})"
        # `created`: a type of request, and the field with the id of the object that such a request creates.
        field, created = rule.field, rule.creates
        return self._call(
            "AnswerRule",
            requests,
            attribute=repr(field.attribute) if field is not None else None,
            repeats=repr(rule.repeats) if field is not None else None,
            when=self._condition(rule.when),
            unless=self._condition(rule.unless),
            open_when=self._condition(rule.open_when),
            creates=None
            if created is None
            else tuple_expression((repr(created[0]), repr(created[1].attribute))),
        )

    def member(self, member: Member) -> str:
        """Return the layout of a member."""
        arguments: dict[str, str] = {}
        group = member.group
        if group:
            # In the module of group layouts, a nested layout is a local name.
            prefix = ""
            if not self.in_groups_module:
                self.imports.import_one_per_line(f"{self.package}.layouts", "groups")
                prefix = "groups."
            arguments["attribute"] = repr(member.attribute)
            arguments["entry"] = f"{prefix}{upper_snake(group.entry_class)}"
            arguments["delimiters"] = tuple_expression(str(field.tag) for field in group.delimiters)
        self.imports.import_one_per_line(f"{self.package}.layouts", "fields")
        # For validation, a constant is a required field with a default.
        presence = "required" if member.presence == "constant" else member.presence
        return self._call(
            "GroupMember" if group else "FieldMember",
            f"fields.{field_constant(member.field)}",
            **arguments,
            presence=self._presence(presence) if presence != "optional" else None,
            rules=_tuple_or_none(map(self._rule, member.rules)),
            required_when=_tuple_or_none(map(self._condition, member.required_when)),
            forbidden_when=_tuple_or_none(map(self._condition, member.forbidden_when)),
            only_when=_tuple_or_none(map(self._condition, member.only_when)),
            minimum=str(group.minimum) if group and group.minimum else None,
            maximum=str(group.maximum) if group and group.maximum is not None else None,
            limits=_tuple_or_none(map(self._limit, member.limits)),
            legacy_tags=_tuple_or_none(str(field.tag) for field in member.legacy_fields),
        )

    def _call(self, cls: str, /, *positional: str | None, **named: str | None) -> str:
        """Import a class of the layout module, and return the code of a call to it."""
        self.imports.import_one_per_line(LAYOUT, cls)
        return call(cls, *positional, **named)

    def _presence(self, presence: str) -> str:
        self.imports.import_one_per_line(LAYOUT, "Presence")
        return f"Presence.{presence.upper()}"

    def _rule(self, rule: PresenceRule) -> str:
        return self._call("PresenceRule", self._scope(rule.scope), self._presence(rule.presence))

    def _condition(self, condition: Condition | None) -> str | None:
        if condition is None:
            return None
        terms, scope = _terms(condition.terms), self._scope_or_none(condition.scope)
        # Terms without a scope are by far the most common, so they have the shortest form.
        if terms and not scope:
            return self._call("Condition", terms)
        return self._call("Condition", terms=terms, scope=scope)

    def _limit(self, limit: Limit) -> str:
        return self._call(
            "Limit",
            when=self._condition(limit.when) if limit.when != Condition() else None,
            minimum=self._number(limit.minimum),
            maximum=self._number(limit.maximum),
            step=self._number(limit.step),
            **_number_arguments(limit, "max_length"),
            pattern=_pattern(limit.pattern),
            values=_words(limit.values),
            unit=None if limit.unit is None else repr(limit.unit),
        )

    def _number(self, number: str | None) -> str | None:
        # Each number of a limit has its own type: whole numbers stay int.
        if number is None or "." not in number:
            return number
        self.imports.import_one_per_line("decimal", "Decimal")
        return f"Decimal({number!r})"

    def _scope_or_none(self, scope: Scope) -> str | None:
        """Return the layout of a scope; None (the default) for an unrestricted scope."""
        return None if scope == Scope() else self._scope(scope)

    def _scope(self, scope: Scope) -> str:
        if scope.sender:
            self.imports.import_one_per_line(LAYOUT, "Sender")
        return self._call(
            "Scope",
            products=_words(scope.products),
            sessions=_words(scope.sessions),
            sender=f"Sender.{scope.sender.upper()}" if scope.sender else None,
            messages=_words(msg_type for _, msg_type in scope.messages),
            logon=_terms(scope.logon),
        )

    def _one_of(self, rule: OneOf) -> str:
        names, flags = tuple_expression(map(repr, rule.names)), _ONE_OF_FLAGS[rule.mode]
        return self._call("OneOf", names, **flags, scope=self._scope_or_none(rule.scope))


def _number_arguments(element: Field | Limit | Group | SessionType, *names: str) -> dict[str, str]:
    """Return the numbers with these names that are set; model and layout use the same names."""
    return {name: str(value) for name in names if (value := getattr(element, name)) is not None}


def _terms(terms: Terms) -> str | None:
    return _tuple_or_none(
        f"({name!r}, {None if values is None else tuple_expression(map(repr, values))})"
        for name, values in terms
    )


def _tuple_or_none(items: Iterable[str | None]) -> str | None:
    """Return a tuple as an expression; None (the default everywhere) for an empty tuple."""
    listed = [item for item in items if item is not None]
    return tuple_expression(listed) if listed else None


def _words(words: Iterable[str]) -> str | None:
    return _tuple_or_none(map(repr, words))


def _pattern(pattern: str | None) -> str | None:
    """Return a regular expression as a readable string literal."""
    if pattern is None:
        return None
    # A raw string cannot contain its own quote or end with a backslash.
    if '"' in pattern or pattern.endswith("\\"):
        return repr(pattern)
    return f'r"{pattern}"' if "\\" in pattern else f'"{pattern}"'


def session_type_expression(session_type: SessionType) -> str:
    """Return a session type as an expression."""
    limits = ("max_message_size", "requests_per_second", "symbols_per_request", "subscriptions")
    return call(
        "SessionType",
        name=repr(session_type.name),
        resend=str(session_type.resend),
        reset_required=str(session_type.reset_required),
        products=tuple_expression(map(repr, session_type.products)),
        port=str(session_type.port),
        host_role=repr(session_type.host_role),
        service=repr(session_type.service),
        purpose=text_literal(session_type.purpose),
        comp_ids=tuple_expression(map(repr, session_type.comp_ids)),
        **_number_arguments(session_type, *limits, "past_reports_hours", "retention_hours"),
    )


def refusal_expression(refusal: Refusal) -> str:
    """Return a reason for refusing a Logon as an expression."""
    name, resolution = repr(refusal.name), repr(refusal.resolution)
    return call("Refusal", name=name, pattern=text_literal(refusal.pattern), resolution=resolution)


def field_constant(field: Field) -> str:
    """Return the name of a field's layout."""
    return upper_snake(field.name)


def call(function: str, *positional: str | None, **named: str | None) -> str:
    """Return a call as an expression; arguments that are None are omitted."""
    arguments = [each for each in positional if each is not None]
    arguments += [f"{name}={value}" for name, value in named.items() if value is not None]
    return f"{function}({', '.join(arguments)})"


def tuple_expression(items: Iterable[str]) -> str:
    """Return a tuple as an expression."""
    listed = list(items)
    return f"({listed[0]},)" if len(listed) == 1 else f"({', '.join(listed)})"


def text_literal(text: str) -> str:
    """Return a string literal, split into several adjacent ones if it is long."""
    # Each part keeps the spaces at its ends, because Python joins adjacent literals without any.
    parts = wrap(text, 80, drop_whitespace=False)
    return f"({' '.join(map(repr, parts))})" if len(parts) > 1 else repr(text)
