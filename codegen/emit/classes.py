"""Views of codesets and of the classes of messages, group entries, header and trailer.

A view contains the texts that a template inserts into the generated code.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from codegen import prose
from codegen.emit import kinds
from codegen.emit.docstrings import docstring
from codegen.emit.imports import Imports
from codegen.model import (
    Code,
    CodeSet,
    Condition,
    Constructor,
    Dialect,
    Field,
    Group,
    Member,
    Message,
    Pedigree,
    Scope,
)
from codegen.naming import snake_case, upper_snake

# These fields depend on the bytes of the message, or determine its class.
CODEC_TAGS = frozenset({8, 9, 10, 35})
"""BeginString, BodyLength, CheckSum and MsgType: the codec reads and writes these itself."""

LOGON_FIELDS = "LogonFields"
"""Class of the optional fields of the Logon."""
SESSION_FIELDS = frozenset({"HeartBtInt", "ResetSeqNumFlag", "NextExpectedMsgSeqNum"})
"""Fields of the Logon that the session sets, excluded from `LogonFields`."""

_CODEC_FIELD_DOC = "Set when a message is decoded; the codec computes it during encoding."


@attrs.frozen
class CodeView:
    """One member of an enum."""

    constant: str
    value: str
    """Python expression."""
    doc: str


@attrs.frozen
class CodeSetView:
    """One enum and its converter."""

    name: str
    base: str
    plain: str
    accepts: str
    converter: str
    table: str
    """Name of the table of its members by value."""
    plain_converter: str
    doc: str
    codes: tuple[CodeView, ...]


@attrs.frozen
class AttributeView:
    """One attribute of a class."""

    name: str
    annotation: str
    default: str
    """Source text after the annotation in the class."""
    accepts: str
    """Annotation of the constructor's argument."""
    argument_default: str
    """Source text after that annotation."""
    value: str
    """Expression that the constructor computes from its argument."""
    doc: str
    deprecation: str | None = None
    """Text of the deprecation warning as a Python expression, None if not deprecated."""
    is_given: str = ""
    """Expression that tests whether the attribute is given."""


@attrs.frozen
class ConstructorView:
    """Class method that constructs a message for one purpose."""

    name: str
    doc: str
    parameters: tuple[str, ...]
    """Parameters of the signature after `cls`."""
    arguments: tuple[str, ...]
    """Arguments passed to the class."""


@attrs.frozen
class ClassView:
    """One attrs class."""

    name: str
    doc: str
    layout: str
    """Python expression."""
    attributes: tuple[AttributeView, ...]
    base: str = "Block"
    constants: tuple[tuple[str, str], ...] = ()
    """Class variables of type str: name and expression."""
    deprecation: str | None = None
    """Text of the deprecation warning as a Python expression, None if the message is not deprecated."""
    is_message: bool = False
    constructors: tuple[ConstructorView, ...] = ()
    list_converter: str | None = None
    """For entries: name of the function that checks a list of them."""


def codeset_views(dialect: Dialect) -> tuple[CodeSetView, ...]:
    """Return a view of every codeset of the dialect."""
    users: dict[str, list[Field]] = {codeset.name: [] for codeset in dialect.codesets}
    for field in dialect.fields:
        if field.codeset:
            users[field.codeset.name].append(field)
    return tuple(_codeset_view(codeset, users[codeset.name]) for codeset in dialect.codesets)


def _codeset_view(codeset: CodeSet, users: list[Field]) -> CodeSetView:
    tags = tuple(f"{field.name} ({field.tag})" for field in users)
    # A CHAR field that shares its codes with a text field is converted as text.
    char = all(field.datatype.kind == "CHAR" for field in users)
    facts = f"Values of {prose.join_words(tags)}." if tags else ""
    if not codeset.open:
        facts += " No other value is valid."
    plain = "int" if codeset.integer else "str"
    codes = tuple(_code_view(code, integer=codeset.integer) for code in codeset.codes)
    return CodeSetView(
        name=codeset.name,
        base="IntEnum" if codeset.integer else "StrEnum",
        plain=plain,
        accepts="int | str" if codeset.integer else "str",
        converter=kinds.codeset_converter(codeset),
        table=f"_{upper_snake(codeset.name)}",
        plain_converter="to_int" if codeset.integer else "to_char" if char else "to_str",
        doc=docstring([prose.sentence(codeset.doc), facts], 4, [(code.constant, code.doc) for code in codes]),
        codes=codes,
    )


def _code_view(code: Code, *, integer: bool) -> CodeView:
    return CodeView(
        code.constant,
        str(int(code.value)) if integer else repr(code.value),
        f"{prose.sentence(code.doc or code.name)} {prose.pedigree_text(code.pedigree)}",
    )


def attributes_of(members: tuple[Member, ...]) -> tuple[Member, ...]:
    """Return the members that become attributes: all but the length fields of their data fields."""
    lengths = {member.field.length_field for member in members}
    return tuple(member for member in members if member.field.name not in lengths)


def always_required(member: Member) -> bool:
    """Return whether a message without this member is invalid in every context."""
    return member.presence == "required" and all(rule.presence == "required" for rule in member.rules)


def value_unless_given(member: Member) -> str | None:
    """Return the wire value that a constructor uses for an omitted field; None if there is none.

    The value is that of a constant, or the only code of a field that is always required. Adding a second code
    makes the argument required again, which `api` reports as a breaking change.
    """
    field = member.field
    # A group is passed as a list, empty by default.
    if member.group or field.tag in CODEC_TAGS:
        return None
    if not always_required(member):
        return member.constant
    return field.codes[0].value if len(field.codes) == 1 else None


@attrs.frozen
class ClassWriter:
    """Builds the views of the classes of one module and collects their imports."""

    imports: Imports
    package: str
    products: tuple[str, ...]
    """All products of the dialect."""
    in_groups: bool = False
    """Whether this is the module of the entry classes."""

    def message_view(self, message: Message) -> ClassView:
        """Return the view of a message class."""
        flows = "; ".join(filter(None, (prose.scope_text(flow) for flow in message.flows)))
        facts = [
            f"Sent {flows}." if flows else "",
            *(prose.one_of_text(one_of) for one_of in message.one_of),
            prose.pedigree_text(message.pedigree),
            f"Source: {prose.sentence(message.source)}" if message.source else "",
        ]
        label = f"{message.name} ({message.msg_type})"
        doc = f"{label}: {prose.sentence(message.doc)}"
        return attrs.evolve(
            self.view(message.name, message.family, message.members, doc, " ".join(facts)),
            base="FixMessage",
            constants=(("MSG_TYPE", repr(message.msg_type)), ("NAME", repr(message.name))),
            deprecation=self._deprecation(label, message.pedigree),
            is_message=True,
            constructors=tuple(self._constructor_view(message, each) for each in message.constructors),
        )

    def logon_fields_view(self, message: Message) -> ClassView:
        """Return the view of the class of Logon fields that the session does not write."""
        doc = f"The fields of a {message.name} ({message.msg_type}) that the session does not set."
        facts = (
            "For a `SessionConfig` or a client. A field that is None is not sent: the other side assumes the "
            "field's default."
        )
        return self.view(LOGON_FIELDS, message.family, logon_fields(message), doc, facts)

    def group_view(self, group: Group) -> ClassView:
        """Return the view of the class of a group's entries."""
        delimiters = tuple(f"{field.name} ({field.tag})" for field in group.delimiters)
        facts = [
            f"An entry begins with {prose.join_words(delimiters, 'or')}." if delimiters else "",
            *(prose.one_of_text(one_of) for one_of in group.one_of),
            f"Source: {prose.sentence(group.source)}" if group.source else "",
        ]
        doc = f"An entry of {group.name}: {prose.sentence(group.doc)}"
        view = self.view(group.entry_class, "groups", group.members, doc, " ".join(facts))
        return attrs.evolve(view, list_converter=list_converter(group))

    def view(
        self, name: str, module: str, members: tuple[Member, ...], doc: str, facts: str = ""
    ) -> ClassView:
        """Return the view of a class whose layout is in `module`."""
        self._use(members)
        layout, attributes = f"{module}.{upper_snake(name)}", self._attribute_views(members)
        described = [(attribute.name, attribute.doc) for attribute in attributes]
        return ClassView(name, docstring([doc, facts], 4, described), layout, attributes)

    def _constructor_view(self, message: Message, constructor: Constructor) -> ConstructorView:
        """Return the view of a class method; its arguments follow from the message's rules and from the
        values that the method sets.
        """
        self.imports.import_on_one_line("typing", "Self")
        sets = {member.field.name: value for member, value in constructor.sets}
        positional = constructor.takes
        positional_parameters, keyword_parameters = [], []
        arguments = [
            f"{member.attribute}={kinds.literal(member.field, value)}" for member, value in constructor.sets
        ]
        entry: tuple[Member, ...] = ()
        if positional is not None and positional.group is not None:
            # `subscribe("A", "B")` makes one entry per value; for an entry with several fields, each field is
            # a named argument.
            entry = attributes_of(positional.group.members)
            if len(entry) == 1:
                name, accepts = entry[0].attribute, kinds.argument_annotation_of(entry[0].field)
                positional_parameters += [f"{name}: {accepts}", f"*more: {accepts}"]
                entry_expression = f"{positional.group.entry_class}({name}=each) for each in ({name}, *more)"
            else:
                entry_arguments = ", ".join(
                    f"{each.attribute}={each.attribute}"
                    for each in entry
                    if _is_argument(each, constructor, sets)
                )
                entry_expression = f"{positional.group.entry_class}({entry_arguments})"
            arguments.append(f"{positional.attribute}=[{entry_expression}]")
        elif positional is not None:
            positional_parameters.append(
                f"{positional.attribute}: {kinds.argument_annotation_of(positional.field)}"
            )
            arguments.append(f"{positional.attribute}={positional.attribute}")
        others = [member for member in attributes_of(message.members) if member is not positional]
        for member in (*others, *(entry if len(entry) > 1 else ())):
            if not _is_argument(member, constructor, sets):
                continue
            required = member.attribute in constructor.requires or _is_required(member, sets)
            # Treated as required everywhere, so the argument has no default and does not accept None.
            parameter_member = attrs.evolve(member, presence="required", rules=()) if required else member
            (view,) = self._attribute_views((parameter_member,))
            # A group's argument normally has a default; a required one has none.
            has_default = not (required and member.group)
            keyword_parameters.append(
                f"{view.name}: {view.accepts}{view.argument_default if has_default else ''}"
            )
            if member in others:
                arguments.append(f"{view.name}={view.name}")
        # After `*more` all arguments are keyword-only anyway.
        star = (
            ["*"]
            if keyword_parameters and not any(each.startswith("*") for each in positional_parameters)
            else []
        )
        set_values = (
            f"{member.field.name} {prose.value_text(member.field, value)}"
            for member, value in constructor.sets
        )
        facts = f"With {prose.join_words(tuple(set_values))}." if sets else ""
        return ConstructorView(
            constructor.name,
            docstring([prose.sentence(constructor.doc), facts], 8),
            (*positional_parameters, *star, *keyword_parameters),
            tuple(arguments),
        )

    def _attribute_views(self, members: tuple[Member, ...]) -> tuple[AttributeView, ...]:
        siblings = {member.field.name: member.field for member in members}
        return tuple(
            self._group_attribute(member, member.group, siblings)
            if member.group
            else self._field_attribute(member, siblings)
            for member in attributes_of(members)
        )

    def _group_attribute(self, member: Member, group: Group, siblings: Mapping[str, Field]) -> AttributeView:
        presence = f"{prose.count_text(group)} {prose.presence_text(member, siblings, self.products)}"
        name, entry = member.attribute, group.entry_class
        return AttributeView(
            name=name,
            annotation=f"list[{entry}]",
            # Default of attrs; the constructor's own argument defaults to the empty tuple.
            default=" = attrs.field(factory=list)",
            accepts=f"Iterable[{entry}]",
            argument_default=" = ()",
            value=f"[] if {name} is EMPTY else {list_converter(group)}({name})",
            doc=_attribute_doc(member, presence, siblings),
            deprecation=self._deprecation(f"{member.field.name} ({member.field.tag})", member.pedigree),
            is_given=f"self.{name}",
        )

    def _field_attribute(self, member: Member, siblings: Mapping[str, Field]) -> AttributeView:
        field = member.field
        kind = field.datatype.python
        # Names from `datetime` are imported one per line, because other specs may import other ones.
        if kind.module == "datetime":
            self.imports.import_one_per_line(kind.module, kind.type)
        elif kind.module:
            self.imports.import_on_one_line(kind.module, kind.type)
        name, annotation, accepts = (
            member.attribute,
            kinds.annotation_of(field),
            kinds.argument_annotation_of(field),
        )
        value = f"{kinds.converter_of(field)}({name})"
        default = ""
        unless_given = value_unless_given(member)
        if unless_given is not None:
            default = f" = {kinds.literal(field, unless_given)}"
        # The constructor does not require fields that the codec computes.
        elif field.tag in CODEC_TAGS or not always_required(member):
            default = " = None"
            annotation += " | None"
            accepts += " | None"
            value = f"None if {name} is None else {value}"
        presence = (
            _CODEC_FIELD_DOC
            if field.tag in CODEC_TAGS
            else prose.presence_text(member, siblings, self.products)
        )
        if unless_given is not None and member.constant is None:
            presence += f" Defaults to {prose.value_text(field, unless_given)}, its only value."
        return AttributeView(
            name=name,
            annotation=annotation,
            default=default,
            accepts=accepts,
            argument_default=default,
            value=value,
            doc=_attribute_doc(member, presence, siblings),
            deprecation=self._deprecation(f"{field.name} ({field.tag})", member.pedigree),
            is_given=f"self.{name} is not None",
        )

    def _deprecation(self, label: str, pedigree: Pedigree) -> str | None:
        """Return the text of an element's deprecation warning as a Python expression; None if the element is
        not deprecated.
        """
        steps = [change for change in pedigree.changes if change.kind in ("deprecated", "removed")]
        if not steps:
            return None
        self.imports.import_on_one_line("kalshi_fix_sansio.dialect.support", "warn_deprecated")
        return repr(f"{label}: {prose.pedigree_text(Pedigree((steps[-1],)))}")

    def _use(self, members: tuple[Member, ...]) -> None:
        """Add the imports that the attributes of these members need."""
        self.imports.import_on_one_line("attrs")
        self.imports.import_on_one_line("collections.abc", "Iterable")
        self.imports.import_on_one_line("kalshi_fix_sansio.dialect.base", "UnknownField")
        self.imports.import_on_one_line("kalshi_fix_sansio.dialect.support", "EMPTY", "constructor_error")
        for member in attributes_of(members):
            if member.group:
                if not self.in_groups:
                    self.imports.import_one_per_line(
                        f"{self.package}.groups", member.group.entry_class, list_converter(member.group)
                    )
            elif member.field.codeset:
                codeset = member.field.codeset
                self.imports.import_one_per_line(
                    f"{self.package}.codesets", codeset.name, kinds.codeset_converter(codeset)
                )
            else:
                self.imports.import_one_per_line(
                    "kalshi_fix_sansio.scalars", member.field.datatype.python.converter
                )


def _is_argument(member: Member, constructor: Constructor, sets: Mapping[str, str]) -> bool:
    """Return whether a member is an argument of a constructor."""
    if member.field.name in sets or member.attribute in constructor.without:
        return False
    if any(_is_true(condition, sets) for condition in member.forbidden_when):
        return False
    return _client_presence(member) != "forbidden"


def _is_required(member: Member, sets: Mapping[str, str]) -> bool:
    required = any(_is_true(condition, sets) for condition in member.required_when)
    return required or _client_presence(member) == "required"


def _client_presence(member: Member) -> str:
    """Return a member's presence in messages from a client; `optional` if it varies.

    Only this presence matters, because constructors build messages that a client sends.
    """
    presence = member.presence
    for rule in member.rules:
        if rule.scope in (Scope(), Scope(sender="client")):
            presence = rule.presence
        # The presence varies by product or session type, which a constructor does not know.
        elif rule.scope.sender != "venue" and rule.presence != presence:
            presence = "optional"
    return presence


def _is_true(condition: Condition, sets: Mapping[str, str]) -> bool:
    """Return whether a condition is true regardless of the other fields."""
    return condition.scope == Scope() and all(
        name in sets and values is not None and (not values or sets[name] in values)
        for name, values in condition.terms
    )


def logon_fields(message: Message) -> tuple[Member, ...]:
    """Return the members of a Logon that its sender may set; all of them are optional."""
    return tuple(
        # Optional even if required in the Logon, because the session may write the field itself.
        attrs.evolve(member, presence="optional") if always_required(member) else member
        for member in attributes_of(message.members)
        if member.field.name not in SESSION_FIELDS and member.constant is None
    )


def list_converter(group: Group) -> str:
    """Return the name of the function that checks a list of a group's entries."""
    return f"to_{snake_case(group.entry_class)}_list"


def _attribute_doc(member: Member, presence: str, siblings: Mapping[str, Field]) -> str:
    field = member.field
    doc = prose.sentence(member.doc or field.doc)
    meaning = f"{field.name} ({field.tag}): {doc}" if doc else f"{field.name} ({field.tag})."
    facts = (
        prose.unit_text(field),
        f"Known values: `{field.codeset.name}`." if field.codeset else "",
        prose.limits_text(field, member.limits, siblings),
        presence,
        f"Absent means {prose.value_text(field, member.default)}." if member.default is not None else "",
        _legacy_text(member.legacy_fields),
        prose.pedigree_text(member.pedigree),
        "Never shown in a repr." if field.secret else "",
    )
    return " ".join([meaning, *filter(None, facts)])


def _legacy_text(fields: tuple[Field, ...]) -> str:
    if not fields:
        return ""
    tags = prose.join_words(tuple(f"tag {field.tag}" for field in fields))
    return f"Also read from {tags}, which is never sent."
