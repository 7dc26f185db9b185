"""Resolve the content of blocks: members, groups, and the rules between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import attrs

from codegen import model
from codegen.model import INTEGER_KINDS, LOGON
from codegen.naming import is_attribute, list_attribute
from codegen.read.context import Context, integer, maps, optional_text, text, words
from codegen.read.load import Definition
from codegen.read.scopes import Places
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.nodes import Map, Node, Scalar

# Keys of a member that change its presence within a scope.
_PRESENCE_KEYS = {"required_on": "required", "optional_on": "optional", "forbidden_on": "forbidden"}
_MODES = ("exactly_one", "at_most_one", "at_least_one")
MAX_NESTING = 32
"""Maximum depth of nested groups, and of nested components."""
# Nested groups that are each used several times grow exponentially, and so would the generated code.
MAX_FIELDS = 1_000_000
"""Maximum number of fields in all blocks of a dialect; fields of a group count each time that it is used."""
_NUMBERS = ("minimum", "maximum", "step")
_COUNTS = frozenset({"when", "minimum", "maximum"})
"""Keys of a limit on the number of entries of a group."""
_WHERE = frozenset({"products", "sessions", "sender", "messages", "logon"})
"""Keys of a condition that restrict where it applies; all others are fields."""
_EMPTY = Map({}, {}, Location("", 1))


@attrs.frozen
class _MemberEntry:
    """The entry of a member in the spec: in the block itself or in a component that the block includes."""

    name: str
    node: Node
    location: Location
    source: Node | None


@attrs.frozen
class _BlockContext:
    """Context of a rule: the block, its members, and its places."""

    label: str
    """Description of the block, for error messages."""
    places: Places
    siblings: Mapping[str, model.Field | None]
    """Members of the block by name; None for one that could not be resolved."""


@attrs.define
class BlockResolver:
    """Resolver of blocks; collects the groups used in them."""

    context: Context
    fields: Mapping[str, model.Field]
    groups: dict[str, model.Group] = attrs.field(factory=dict)
    """All resolved groups, nested ones before the groups that contain them."""
    used_components: set[str] = attrs.field(factory=set)
    _in_progress: list[str] = attrs.field(factory=list)
    """Groups that are being resolved, outermost first, to detect a group that contains itself."""
    _remaining: int = attrs.field(init=False, factory=lambda: MAX_FIELDS)
    """Remaining number of fields within the limit."""
    _lengths: dict[str, str] = attrs.field(init=False)
    """Name of each data field by the name of its length field."""
    _incomplete: set[str] = attrs.field(factory=set)
    """Labels of blocks with an unresolvable member. An unknown delimiter is not reported for them."""

    def __attrs_post_init__(self) -> None:
        self._lengths = {each.length_field: each.name for each in self.fields.values() if each.length_field}

    def block(
        self, entry: Definition, label: str, places: Places
    ) -> tuple[tuple[model.Member, ...], tuple[model.OneOf, ...]]:
        """Return the members of a message, group, header or trailer, and its `one_of` rules."""
        # `_expand_components` appends the rules of components to this list.
        one_of = maps(entry.node.get("one_of"))
        member_entries = self._expand_components(entry, one_of, label, {})
        # Members are indexed by their names in the spec, because a condition refers to a group by its name
        # but tests its counter.
        block = _BlockContext(label, places, {each.name: self._sibling(each.name) for each in member_entries})
        members: list[model.Member] = []
        for member_entry in member_entries:
            member = self._member(member_entry, block)
            if member is not None:
                members.append(member)
            else:
                # This member may be the group's delimiter, so do not report the delimiter as missing.
                self._incomplete.add(label)
        self._check_unique(members, label)
        rules = (self._one_of(node, block) for node in one_of)
        return tuple(members), tuple(rule for rule in rules if rule is not None)

    def _expand_components(
        self,
        entry: Definition,
        one_of: list[Map],
        label: str,
        included: dict[str, bool],
    ) -> list[_MemberEntry]:
        """Return the entries of the members of a block, with each component replaced by its members.

        `included` contains the components found in the block so far, and whether each is completely expanded.
        """
        entries: list[_MemberEntry] = []
        members = entry.node.mapping("members")
        components = self.context.spec.sections["components"]
        mistakes = self.context.mistakes
        for name in members:
            node = members.entries[name]
            component = components.get(name)
            if component is None:
                entries.append(_MemberEntry(name, node, members.at(name), entry.source_of(name)))
                continue
            self.used_components.add(name)
            if not (isinstance(node, Scalar) and node.text == "include"):
                what = f"component `{name}` must not have a presence"
                mistakes.add(members.at(name), what, f"write `{name}: include`")
            if name in included:
                # If each component included the next one twice, the members would double at every level.
                how = "twice" if included[name] else "inside itself"
                what = f"{label} includes component `{name}` {how}"
                mistakes.add(members.at(name), what, "remove one of the two")
                continue
            # The components that are not completely expanded enclose this one.
            if sum(not complete for complete in included.values()) >= MAX_NESTING:
                what = f"components are nested more than {MAX_NESTING} levels deep"
                mistakes.add(members.at(name), what, "name their members instead")
                continue
            included[name] = False
            one_of += maps(component.node.get("one_of"))
            entries += self._expand_components(component, one_of, label, included)
            included[name] = True
        return entries

    def _sibling(self, name: str) -> model.Field | None:
        """Return the field of a member, or the counter of a group; None if the name is unknown."""
        group = self.context.spec.sections["groups"].get(name)
        return self.fields.get(name if group is None else text(group.node, "counter"))

    def _member(self, member_entry: _MemberEntry, block: _BlockContext) -> model.Member | None:
        context, name, label = self.context, member_entry.name, block.label
        sections = context.spec.sections
        is_group = name in sections["groups"]
        if not is_group and name not in sections["fields"]:
            known = [*sections["fields"], *sections["groups"], *sections["components"]]
            what = f"{label} names `{name}`, which is neither a field nor a group nor a component"
            context.check_among(name, known, member_entry.location, what)
            return None
        group = self.group(name) if is_group else None
        field = block.siblings[name]
        if field is None or (is_group and group is None):
            return None
        if group is None:
            self._check_plain(field, member_entry, label)
        node = member_entry.node if isinstance(member_entry.node, Map) else _EMPTY
        arguments = context.element_arguments(
            node, member_entry.source, f"`{name}` of {label}", member_entry.location
        )
        # A member without a history gets the history of its field.
        if not arguments["pedigree"].changes:
            arguments["pedigree"] = field.pedigree
        constant = optional_text(node, "constant")
        if constant is not None:
            constant = self._wire_value(field, constant, node.at("constant"))
        presence = text(node, "presence", "optional")
        if isinstance(member_entry.node, Scalar):
            presence = member_entry.node.text
        if presence == "include":
            what = f"{label} includes `{name}`, which is not a component"
            context.mistakes.add(member_entry.location, what, "write required or optional")
        if constant is not None and "presence" in node:
            what = f"{label} gives `{name}` both a constant and a presence"
            context.mistakes.add(node.at("presence"), what, "remove `presence`: a constant is always sent")
        member = model.Member(
            field=field,
            group=group,
            attribute=list_attribute(field.name) if group is not None else field.attribute,
            presence="constant" if constant is not None else presence,
            constant=constant,
            default=optional_text(node, "default"),
            rules=self._rules(node, f"`{name}` of {label}", block.places),
            required_when=self._conditions(node, "required_when", block),
            forbidden_when=self._conditions(node, "forbidden_when", block),
            only_when=self._conditions(node, "only_when", block),
            limits=self._limits(node, field, block),
            legacy_fields=self._legacy(node, name, block),
            doc=text(node, "doc") or (group.doc if group is not None else field.doc),
            past=tuple(self._past(member_entry, node, arguments["pedigree"], block)),
            **arguments,
        )
        return model.without_requirements_if_removed(member)

    def _past(
        self, member_entry: _MemberEntry, node: Map, pedigree: model.Pedigree, block: _BlockContext
    ) -> Iterator[tuple[model.Change, model.Member]]:
        """Yield each change that records the member's earlier form, together with the member in that form."""
        if "changed" not in node:
            return
        for change, earlier in self.context.past(node, pedigree, "was"):
            where = node.mapping("changed").at(change.version or change.date or "")
            member = self._member(_MemberEntry(member_entry.name, earlier, where, member_entry.source), block)
            if member is not None:
                yield change, member

    def _check_plain(self, field: model.Field, member_entry: _MemberEntry, label: str) -> None:
        """Record a mistake if the field is a counter or a length, which cannot be a plain member."""
        mistakes = self.context.mistakes
        if field.datatype.kind == "NUMINGROUP":
            counted = [
                name
                for name, entry in self.context.spec.sections["groups"].items()
                if text(entry.node, "counter") == field.name
            ]
            advice = "define a group that it counts"
            if counted:
                advice = f"name the group instead: {' or '.join(counted)}"
            mistakes.add(member_entry.location, f"{label} names the counter `{field.name}`", advice)
        data = self._lengths.get(field.name)
        if data is not None:
            what = f"{label} names `{field.name}`, the length of `{data}`"
            mistakes.add(member_entry.location, what, f"remove it: it is always written with `{data}`")

    def group(self, name: str) -> model.Group | None:
        """Return a group by name. Record a mistake and return None if it cannot be resolved."""
        if name in self.groups:
            return self.groups[name]
        context = self.context
        entry = context.spec.sections["groups"][name]
        label = f"group `{name}`"
        if name in self._in_progress:
            path = " in ".join(f"`{each}`" for each in [*reversed(self._in_progress), name])
            what = f"{label} contains itself ({path})"
            context.mistakes.add(entry.location, what, "break the cycle")
            return None
        if len(self._in_progress) >= MAX_NESTING:
            what = f"groups are nested more than {MAX_NESTING} levels deep"
            context.mistakes.add(entry.location, what, "flatten some of the groups")
            return None
        context.check_name(entry)
        # Groups are resolved recursively, in the order in which members name them.
        self._in_progress.append(name)
        members, one_of = self.block(entry, label, Places.from_context(context))
        self._in_progress.pop()
        counter = self._counter(entry, label)
        delimiters = self._delimiters(entry, label, members)
        minimum, maximum = integer(entry.node, "minimum"), integer(entry.node, "maximum")
        # A present group has at least one entry, unless the spec allows a count of 0.
        minimum = 1 if minimum is None else minimum
        if maximum is not None and minimum > maximum:
            context.mistakes.add(entry.location, f"{label} has a minimum above its maximum", "swap the two")
        arguments = context.element_arguments(entry.node, entry.source, label, entry.location)
        if counter is None or not delimiters:
            return None
        self.groups[name] = model.Group(
            name=name,
            entry_class=text(entry.node, "entry"),
            delimiters=delimiters,
            members=members,
            one_of=one_of,
            minimum=minimum,
            maximum=maximum,
            doc=text(entry.node, "doc"),
            **arguments,
        )
        return self.groups[name]

    def _counter(self, entry: Definition, label: str) -> model.Field | None:
        name = text(entry.node, "counter")
        where = entry.node.at("counter")
        if not self.context.require(name, self.context.spec.sections["fields"], "counter", where):
            return None
        field = self.fields.get(name)
        if field is not None and field.datatype.kind != "NUMINGROUP":
            what = f"{label} is counted by `{name}`, which is of type {field.datatype.name}"
            self.context.mistakes.add(where, what, "name a field of type NUMINGROUP")
            return None
        return field

    def _delimiters(
        self, entry: Definition, label: str, members: tuple[model.Member, ...]
    ) -> tuple[model.Field, ...]:
        plain = [member.field for member in members if member.group is None]
        names = [field.name for field in plain]
        delimiter_names = words(entry.node.get("delimiter"))
        for name, where in delimiter_names:
            if label not in self._incomplete:
                what = f"{label} has the delimiter `{name}`, which is not one of its fields"
                self.context.check_among(name, names, where, what)
        delimiters = tuple(field for name, _ in delimiter_names for field in plain if field.name == name)
        if len(delimiters) == len(delimiter_names) and [m.field for m in members[: len(delimiters)]] != list(
            delimiters
        ):
            what = f"{label} does not start with its delimiter"
            advice = f"put {', '.join(field.name for field in delimiters)} first among its members"
            self.context.mistakes.add(entry.node.at("delimiter"), what, advice)
        return delimiters

    def _rules(self, node: Map, label: str, places: Places) -> tuple[model.PresenceRule, ...]:
        rules: list[model.PresenceRule] = []
        only = node.get("only")
        if isinstance(only, Map):
            scope = places.scope(self.context, only, label)
            # `only` means forbidden elsewhere; the rules after it may be exceptions.
            rules += [model.PresenceRule(each, "forbidden") for each in places.outside(scope)]
        # In file order: the last rule that applies wins.
        for key in node:
            if key in _PRESENCE_KEYS:
                for each in maps(node.entries[key]):
                    scope = places.scope(self.context, each, label)
                    rules.append(model.PresenceRule(scope, _PRESENCE_KEYS[key]))
        return tuple(rules)

    def _one_of(self, node: Map, block: _BlockContext) -> model.OneOf | None:
        mistakes, label, siblings = self.context.mistakes, block.label, block.siblings
        modes = [mode for mode in _MODES if mode in node]
        if len(modes) != 1:
            what = f"a rule of `one_of` in {label} has {'no' if not modes else 'more than one'} mode"
            mistakes.add(node.location, what, f"use one of {', '.join(_MODES)}")
            return None
        member_names = words(node.entries[modes[0]])
        if len(member_names) < 2:
            what = f"`{modes[0]}` in {label} names fewer than two members"
            mistakes.add(node.location, what, "list at least two members")
        names = []
        for name, where in member_names:
            what = f"`{modes[0]}` in {label} names `{name}`, which is not a member of it"
            known = self.context.check_among(name, siblings, where, what)
            if known and (field := siblings[name]) is not None:
                names.append(field.name)
        on = node.get("on")
        scope = block.places.scope(self.context, on, label) if isinstance(on, Map) else model.Scope()
        return model.OneOf(tuple(names), modes[0], scope)

    def with_limits(self) -> dict[str, model.Field]:
        """Return the fields with their conditional limits."""
        everywhere = Places.from_context(self.context)
        entries = self.context.spec.sections["fields"]
        fields: dict[str, model.Field] = {}
        for name, field in self.fields.items():
            block = _BlockContext(f"field `{name}`", everywhere, {})
            fields[name] = attrs.evolve(field, limits=self._limits(entries[name].node, field, block))
        self.fields = fields
        return dict(fields)

    def _limits(self, node: Map, field: model.Field, block: _BlockContext) -> tuple[model.Limit, ...]:
        limits = []
        for each in maps(node.get("limits")):
            when = self._condition(each.mapping("when"), f"`limits` of {block.label}", block)
            numbers = {name: optional_text(each, name) for name in _NUMBERS}
            limit = model.Limit(
                when,
                **numbers,
                max_length=integer(each, "max_length"),
                pattern=optional_text(each, "pattern"),
                values=tuple(
                    self._wire_value(field, value, where) for value, where in words(each.get("values"))
                ),
                unit=optional_text(each, "unit"),
            )
            limits.append(limit)
            self._check_limit(limit, field, each, block.label)
        return tuple(limits)

    def _check_limit(self, limit: model.Limit, field: model.Field, node: Map, label: str) -> None:
        mistakes = self.context.mistakes
        numeric = any(name in node for name in _NUMBERS)
        textual = "max_length" in node or "pattern" in node
        if not numeric and not textual and "values" not in node:
            advice = "add minimum, maximum, step, max_length, pattern or values"
            mistakes.add(node.location, f"a limit of {label} allows everything", advice)
        if field.datatype.kind == "NUMINGROUP" and not node.entries.keys() <= _COUNTS:
            what = f"a limit of {label} restricts more than the number of entries"
            mistakes.add(node.location, what, "use only minimum and maximum")
        if numeric and field.datatype.kind not in {"DECIMAL", *INTEGER_KINDS}:
            what = f"a limit of {label} has a range, but {field.name} is of type {field.datatype.name}"
            mistakes.add(node.location, what, "give it max_length or pattern instead")
        low, high = limit.minimum, limit.maximum
        if low is not None and high is not None and Decimal(low) > Decimal(high):
            what = f"a limit of {label} has a minimum above its maximum"
            mistakes.add(node.at("minimum"), what, "swap the two")
        if limit.step is not None and Decimal(limit.step) <= 0:
            what = f"a limit of {label} has a step of {limit.step}"
            mistakes.add(node.at("step"), what, "write a step above 0")

    def _conditions(self, node: Map, key: str, block: _BlockContext) -> tuple[model.Condition, ...]:
        label = f"`{key}` in {block.label}"
        return tuple(self._condition(condition, label, block) for condition in maps(node.get(key)))

    def _condition(self, node: Map, label: str, block: _BlockContext) -> model.Condition:
        """Return a condition: lower-case keys restrict where it applies, the others are fields of the
        block.
        """
        known = self.context.spec.sections["messages"]
        messages = [
            (name, text(known[name].node, "msg_type"))
            for name, where in words(node.get("messages"))
            if self.context.require(name, known, "message", where)
        ]
        scope = attrs.evolve(
            block.places.scope(self.context, node, label),
            messages=tuple(messages),
            logon=self._terms(node.mapping("logon"), f"`logon` of {label}", self._logon_fields()),
        )
        # All other keys are names of fields.
        entries = {name: each for name, each in node.entries.items() if name not in _WHERE}
        terms = self._terms(Map(entries, node.keys, node.location), label, block.siblings)
        return model.Condition(terms, scope)

    def _logon_fields(self) -> dict[str, model.Field | None]:
        """Return the members of the dialect's Logon by name."""
        return {
            name: self._sibling(name)
            for entry in self.context.spec.sections["messages"].values()
            if text(entry.node, "msg_type") == LOGON
            for name in entry.node.mapping("members")
        }

    def _terms(self, node: Map, label: str, siblings: Mapping[str, model.Field | None]) -> model.Terms:
        return tuple(term for name in node if (term := self._term(node, name, label, siblings)) is not None)

    def _term(
        self, condition: Map, name: str, label: str, siblings: Mapping[str, model.Field | None]
    ) -> tuple[str, tuple[str, ...] | None] | None:
        where, field = condition.at(name), siblings.get(name)
        what = f"{label} names `{name}`, which is not in the same block"
        if not self.context.check_among(name, siblings, where, what) or field is None:
            return None
        values = words(condition.entries[name])
        # A sole `absent` or `present` has a special form; among other values, `absent` becomes the empty
        # string.
        if [value for value, _ in values] == ["absent"]:
            return field.name, None
        if [value for value, _ in values] == ["present"]:
            return field.name, ()
        if field.datatype.kind == "NUMINGROUP":
            what = f"{label} compares the group `{name}` with a value"
            self.context.mistakes.add(where, what, "write present or absent")
            return None
        return field.name, tuple(
            "" if value == "absent" else self._wire_value(field, value, where) for value, where in values
        )

    def _wire_value(self, field: model.Field, value: str, location: Location) -> str:
        """Return the wire value for a code's name, a code's value, or a value of a field without codes."""
        if field.codeset is not None:
            code = field.code(value)
            if code is not None:
                return code.value
            what = f"`{value}` is not a code of {field.codeset.name}"
            self.context.check_among(value, [each.name for each in field.codes], location, what)
            return value
        what = f"`{value}` is not a value of {field.name}"
        if field.datatype.kind == "BOOLEAN" and value not in ("Y", "N"):
            self.context.mistakes.add(location, what, "write Y or N")
        elif field.datatype.kind in INTEGER_KINDS and not value.removeprefix("-").isdigit():
            self.context.mistakes.add(location, what, "write a whole number")
        return value

    def _legacy(self, node: Map, name: str, block: _BlockContext) -> tuple[model.Field, ...]:
        fields = []
        for each, where in words(node.get("legacy")):
            if each in block.siblings:
                what = f"{block.label} reads `{each}` as `{name}`, but `{each}` is a separate member"
                self.context.mistakes.add(where, what, "remove one of the two")
                continue
            known = self.context.require(each, self.context.spec.sections["fields"], "field", where)
            if known and (field := self.fields.get(each)) is not None:
                fields.append(field)
        return tuple(fields)

    def _check_unique(self, members: list[model.Member], label: str) -> None:
        """Record duplicate tags (including those in groups of the block), and duplicate or reserved
        attributes.
        """
        owners: dict[str, str] = {}
        attributes: dict[str, str] = {}
        for member in members:
            member_fields = [member.field, *member.legacy_fields]
            nested = nested_fields(member.group) if member.group is not None else []
            self._remaining -= len(member_fields) + len(nested)
            if self._remaining < 0:
                what = f"with {label}, the dialect has more than {MAX_FIELDS} fields in its blocks"
                self.context.mistakes.add(member.location, what, "remove unused members")
                self.context.mistakes.raise_any()
            for field in [*member_fields, *nested]:
                if field.name in owners:
                    what = f"{label} has tag {field.tag} ({field.name}) twice: "
                    what += f"it is also in `{owners[field.name]}`"
                    advice = "a parser could not distinguish them: remove one"
                    self.context.mistakes.add(member.location, what, advice)
            # Owners are updated after the check, so duplicates within a group are recorded only for the
            # group.
            owners.update((field.name, member.name) for field in [*member_fields, *nested])
            if member.attribute in attributes:
                other = attributes[member.attribute]
                what = f"{label} has the attribute `{member.attribute}` twice: it is also that of `{other}`"
                self.context.mistakes.add(member.location, what, f"rename `{member.field.name}`")
            elif member.group is not None and not is_attribute(member.attribute):
                what = f"{label} would have the attribute `{member.attribute}`"
                advice = "rename the counter; the name is reserved in Python or the generated classes"
                self.context.mistakes.add(member.location, what, advice)
            attributes[member.attribute] = member.field.name


def nested_fields(group: model.Group) -> list[model.Field]:
    """Return all fields that may occur in an entry of a group, including those of nested groups."""
    return [
        field for member, _ in model.walk(group.members) for field in (member.field, *member.legacy_fields)
    ]
