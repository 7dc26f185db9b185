"""A FIX Orchestra repository (v1.1) of the whole dialect, for tools of the FIX Trading Community.

Products are scenarios. A message or group that is the same for every product is in the base scenario; any
other message or group occurs once for each product that has it. Conditions become rules in Score,
Orchestra's expression language, if they apply to every product, session type and sender of the scenario.
Orchestra cannot express differences between session types, senders or settings of the Logon. A member whose
presence differs within a scenario is `optional` (`required` if it is always present), and its documentation
lists the differences. The documentation contains the limits, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from xml.etree import ElementTree as ET

import attrs

from codegen.model import (
    Code,
    CodeSet,
    Condition,
    Dialect,
    Field,
    Group,
    Limit,
    Member,
    Message,
    Pedigree,
    walk,
)
from codegen.presence import MANDATORY, Place, places, places_of, presence_at, presences
from codegen.prose import condition_sentences, limits_text

FIXR = "http://fixprotocol.io/2024/orchestra/repository"
DC = "http://purl.org/dc/elements/1.1/"
# Scenario ids: the base first, then the products.
BASE = ("base", 1)
# Each component needs a name and an id.
_HEADER, _TRAILER = ("StandardHeader", 1), ("StandardTrailer", 2)

Scenario = tuple[str, int]
"""Name and id; a product, or `base`."""


def render(dialect: Dialect) -> str:
    """Return the repository as XML text."""
    version = dialect.version or dialect.application_version
    # Without prefixes, ElementTree would name the namespaces ns0 and ns1.
    ET.register_namespace("fixr", FIXR)
    ET.register_namespace("dc", DC)
    root = ET.Element(_qualified("repository"), {"name": dialect.name, "version": version})
    _metadata(root, dialect, version)
    _Repository(dialect, root).build()
    ET.indent(root, " ")
    note = "<!-- Written by `python -m codegen`; edit the spec instead. -->"
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{note}\n{ET.tostring(root, encoding='unicode')}\n"


def _metadata(root: ET.Element, dialect: Dialect, version: str) -> None:
    metadata = ET.SubElement(root, _qualified("metadata"))
    for name, text in (("title", f"{dialect.title}, {version}"), ("format", "Orchestra schema")):
        ET.SubElement(metadata, f"{{{DC}}}{name}").text = text


@attrs.define(eq=False)
class _Repository:
    """One repository under construction."""

    dialect: Dialect
    root: ET.Element
    products: tuple[str, ...] = attrs.field(init=False)
    places_by_product: Mapping[str, tuple[Place, ...]] = attrs.field(init=False)
    """Places of each product."""
    group_ids: dict[str, int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.products = self.dialect.product_names or ("",)
        self.places_by_product = {product: places(self.dialect, product) for product in self.products}
        # Components, groups and messages have separate ids; the id of a field is its tag.
        self.group_ids = {group.name: 1000 + n for n, group in enumerate(self.dialect.groups, 1)}

    def build(self) -> None:
        """Add every part, in the order of the schema."""
        self._datatypes()
        self._code_sets()
        self._fields()
        self._actors()
        self._components()
        self._groups()
        self._messages()
        self._scenarios()

    # Parts without differences between products

    def _datatypes(self) -> None:
        parent = self._part("datatypes")
        for datatype in self.dialect.datatypes:
            element = ET.SubElement(parent, _qualified("datatype"), {"name": datatype.name})
            _document(element, datatype.doc)

    def _code_sets(self) -> None:
        parent = self._part("codeSets")
        # Orchestra allows one datatype per codeset. If its fields have several, the last one is used.
        types = {f.codeset.name: f.datatype.name for f in self.dialect.fields if f.codeset is not None}
        used = [codeset for codeset in self.dialect.codesets if codeset.name in types]
        for number, codeset in enumerate(used, 1):
            attributes = {"name": _code_set_name(codeset), "id": str(number), "type": types[codeset.name]}
            element = ET.SubElement(parent, _qualified("codeSet"), attributes)
            for position, code in enumerate(codeset.codes, 1):
                _code(element, code, position)
            _document(element, codeset.doc, "Other values may occur." if codeset.open else "")

    def _fields(self) -> None:
        parent = self._part("fields")
        for field in self.dialect.fields:
            attributes = {"id": str(field.tag), "name": field.name}
            if field.codeset is None:
                attributes["type"] = field.datatype.name
            else:
                attributes["codeSet"] = _code_set_name(field.codeset)
            limits = {
                "minInclusive": field.minimum,
                "maxInclusive": field.maximum,
                "implMaxLength": field.max_length,
                "lengthId": field.length_tag,
            }
            attributes |= {name: str(value) for name, value in limits.items() if value is not None}
            element = ET.SubElement(parent, _qualified("field"), attributes | _history(field.pedigree))
            _document(
                element,
                field.doc,
                "" if field.unit is None else f"Unit: {field.unit}.",
                limits_text(field) if field.limits else "",
            )

    def _actors(self) -> None:
        parent = self._part("actors")
        for actor in ("client", "venue"):
            ET.SubElement(parent, _qualified("actor"), {"name": actor})
        for source, destination in (("client", "venue"), ("venue", "client")):
            attributes = {"name": _flow(source), "source": source, "destination": destination}
            ET.SubElement(parent, _qualified("flow"), attributes)

    def _components(self) -> None:
        parent = self._part("components")
        all_places = tuple(chain.from_iterable(self.places_by_product.values()))
        for (name, number), members in ((_HEADER, self.dialect.header), (_TRAILER, self.dialect.trailer)):
            element = ET.SubElement(parent, _qualified("component"), {"name": name, "id": str(number)})
            self._members(element, members, all_places, BASE)

    def _scenarios(self) -> None:
        parent = self._part("scenarios")
        for name, number in (BASE, *map(self._scenario, filter(None, self.products))):
            ET.SubElement(parent, _qualified("scenario"), {"name": name, "id": str(number)})

    # Parts that may differ between products

    def _groups(self) -> None:
        parent = self._part("groups")
        for group in self.dialect.groups:
            for scenario, at_places in self._versions(self._group_places(group), group.members):
                attributes = {
                    "name": group.name,
                    "id": str(self.group_ids[group.name]),
                    **_scenario_attributes(scenario),
                }
                attributes["implMinOccurs"] = str(group.minimum)
                if group.maximum is not None:
                    attributes["implMaxOccurs"] = str(group.maximum)
                element = ET.SubElement(parent, _qualified("group"), attributes)
                self._group_body(element, group, at_places, scenario)

    def _group_body(
        self, element: ET.Element, group: Group, at_places: tuple[Place, ...], scenario: Scenario
    ) -> None:
        # The model stores the counter where the group is used.
        blocks = (message.members for message in self.dialect.messages)
        all_members = chain(self.dialect.header, self.dialect.trailer, *blocks)
        counter = next(member.field for member, _ in walk(all_members) if member.group == group)
        ET.SubElement(element, _qualified("numInGroup"), _reference(counter))
        self._members(element, group.members, at_places, scenario)
        _document(element, group.doc)

    def _messages(self) -> None:
        parent = self._part("messages")
        for number, message in enumerate(self.dialect.messages, 1):
            places_by_product = {
                product: places_of(message, product_places)
                for product, product_places in self.places_by_product.items()
            }
            for scenario, at_places in self._versions(places_by_product, message.members):
                attributes = {
                    "name": message.name,
                    "id": str(number),
                    "msgType": message.msg_type,
                    **_scenario_attributes(scenario),
                }
                attributes["category"] = message.family
                senders = {place.sender for place in at_places}
                if len(senders) == 1:
                    attributes["flow"] = _flow(*senders)
                element = ET.SubElement(
                    parent, _qualified("message"), attributes | _history(message.pedigree)
                )
                self._structure(element, message, at_places, scenario)

    def _structure(
        self, element: ET.Element, message: Message, at_places: tuple[Place, ...], scenario: Scenario
    ) -> None:
        structure = ET.SubElement(element, _qualified("structure"))
        _component_reference(structure, _HEADER)
        self._members(structure, message.members, at_places, scenario)
        _component_reference(structure, _TRAILER)
        sessions = sorted({place.session for place in at_places if place.session})
        _document(element, message.doc, f"On {', '.join(sessions)}." if sessions else "")

    def _members(
        self, parent: ET.Element, members: Iterable[Member], at_places: tuple[Place, ...], scenario: Scenario
    ) -> None:
        listed = tuple(members)
        siblings = {member.field.name: member.field for member in listed}
        for member, length in self.dialect.with_lengths(listed):
            if presences(member, at_places) == {"forbidden"}:
                continue
            if length is not None:
                ET.SubElement(parent, _qualified("fieldRef"), _reference(length))
            self._member(parent, member, siblings, at_places, scenario)

    def _member(
        self,
        parent: ET.Element,
        member: Member,
        siblings: Mapping[str, Field],
        at_places: tuple[Place, ...],
        scenario: Scenario,
    ) -> None:
        all_presences = presences(member, at_places)
        presence = _common_presence(all_presences)
        if member.group is None:
            attributes = {**_reference(member.field), "presence": presence}
            if presence == "constant" and member.constant is not None:
                attributes["value"] = member.constant
            element = ET.SubElement(parent, _qualified("fieldRef"), attributes | _history(member.pedigree))
        else:
            group, inner = member.group, self._group_scenario(member.group, scenario)
            attributes = {
                "id": str(self.group_ids[group.name]),
                "name": group.name,
                **_scenario_attributes(inner),
            }
            element = ET.SubElement(
                parent,
                _qualified("groupRef"),
                {**attributes, "presence": presence} | _history(member.pedigree),
            )
        for name, score in self._rules(member, at_places):
            rule = ET.SubElement(element, _qualified("rule"), {"presence": name})
            ET.SubElement(rule, _qualified("when")).text = score
        _document(
            element,
            member.doc,
            _differences(member, at_places) if len(all_presences) > 1 else "",
            *condition_sentences(_without_rules(member, at_places), siblings),
            limits_text(member.field, _limits_at(member, at_places), siblings) if member.limits else "",
        )

    def _rules(self, member: Member, at_places: tuple[Place, ...]) -> Iterator[tuple[str, str]]:
        """Yield the presence and the condition of each rule that Score can express. A condition in Score can
        refer only to fields of the same message.
        """
        for presence, conditions in (
            ("required", member.required_when),
            ("forbidden", member.forbidden_when),
        ):
            for condition in conditions:
                if _is_rule(condition, at_places):
                    yield presence, self._score(condition)
        # A field that is allowed under any of several conditions is forbidden if none of them is true. If
        # Score cannot express one of the conditions, it cannot express the rule.
        allowed = _applicable(member.only_when, at_places)
        if allowed and all(_is_rule(condition, at_places) for condition in allowed):
            yield "forbidden", f"!({' || '.join(f'({self._score(condition)})' for condition in allowed)})"

    def _score(self, condition: Condition) -> str:
        """Return a condition on fields in Score."""
        fields = self.dialect.by_name
        terms = []
        for name, values in condition.terms:
            if values is None:
                terms.append(f"!exists {name}")
            elif not values:
                terms.append(f"exists {name}")
            else:
                either = " || ".join(f"{name} == {_literal(fields[name], value)}" for value in values)
                terms.append(f"({either})" if len(values) > 1 and len(condition.terms) > 1 else either)
        return " && ".join(terms)

    # Scenarios

    def _scenario(self, product: str) -> Scenario:
        return (product, 2 + self.products.index(product)) if product else BASE

    def _versions(
        self, places_by_product: Mapping[str, tuple[Place, ...]], members: tuple[Member, ...]
    ) -> Iterator[tuple[Scenario, tuple[Place, ...]]]:
        """Yield the scenarios of a block with their places: the base scenario if every product has the same
        block, else each product that has it.
        """
        with_block = {product: at_places for product, at_places in places_by_product.items() if at_places}
        # Blocks without differences are written once.
        comparison_keys = {_comparison_key(members, at_places) for at_places in with_block.values()}
        if len(with_block) == len(self.products) and len(comparison_keys) == 1:
            yield BASE, tuple(chain.from_iterable(with_block.values()))
        else:
            for product, at_places in with_block.items():
                yield self._scenario(product), at_places

    def _group_scenario(self, group: Group, outer: Scenario) -> Scenario:
        """Return the scenario of a group that is used in a block of the outer scenario."""
        scenarios = {scenario for scenario, _ in self._versions(self._group_places(group), group.members)}
        return BASE if BASE in scenarios else outer

    def _group_places(self, group: Group) -> dict[str, tuple[Place, ...]]:
        """Return the places of the messages that contain a group at any depth, by product."""
        users = [message for message in self.dialect.messages if _contains_group(message.members, group)]
        in_component = _contains_group(self.dialect.header, group) or _contains_group(
            self.dialect.trailer, group
        )
        return {
            product: tuple(
                place
                for place in product_places
                if in_component or any(places_of(user, (place,)) for user in users)
            )
            for product, product_places in self.places_by_product.items()
        }

    def _part(self, name: str) -> ET.Element:
        return ET.SubElement(self.root, _qualified(name))


def _qualified(name: str) -> str:
    """Return the name of an Orchestra element with its namespace."""
    return f"{{{FIXR}}}{name}"


def _scenario_attributes(scenario: Scenario) -> dict[str, str]:
    return {} if scenario == BASE else {"scenario": scenario[0], "scenarioId": str(scenario[1])}


def _reference(field: Field) -> dict[str, str]:
    return {"id": str(field.tag), "name": field.name}


def _component_reference(parent: ET.Element, component: tuple[str, int]) -> None:
    name, number = component
    attributes = {"id": str(number), "name": name, "presence": "required"}
    ET.SubElement(parent, _qualified("componentRef"), attributes)


def _code_set_name(codeset: CodeSet) -> str:
    return f"{codeset.name}CodeSet"


def _code(parent: ET.Element, code: Code, position: int) -> None:
    attributes = {"name": code.name, "id": str(position), "value": code.value, "sort": str(position)}
    _document(ET.SubElement(parent, _qualified("code"), attributes | _history(code.pedigree)), code.doc)


def _flow(sender: str) -> str:
    return "ClientToVenue" if sender == "client" else "VenueToClient"


def _document(element: ET.Element, *texts: str) -> None:
    text = " ".join(filter(None, texts))
    if text:
        annotation = ET.SubElement(element, _qualified("annotation"))
        ET.SubElement(annotation, _qualified("documentation"), {"purpose": "SYNOPSIS"}).text = text


def _history(pedigree: Pedigree) -> dict[str, str]:
    """Return the attributes for the last addition, update and deprecation, each with a version or a date.

    Orchestra has no attribute for removal, so removed elements are marked as deprecated.
    """
    kinds = {"removed": "deprecated"}
    return {
        kinds.get(change.kind, change.kind): change.version or change.date or ""
        for change in pedigree.changes
    }


def _common_presence(all_presences: frozenset[str]) -> str:
    """Return the presence common to all places. If it differs between them, return `required` if the member
    is always present, else `optional`.
    """
    if len(all_presences) == 1:
        return next(iter(all_presences))
    # A member that is required at some places and constant at all others is required everywhere.
    return "required" if all(presence in MANDATORY for presence in all_presences) else "optional"


def _comparison_key(members: tuple[Member, ...], at_places: tuple[Place, ...]) -> tuple[object, ...]:
    """Return a comparison key: two sets of places have equal keys if the block is the same at both."""
    return (
        frozenset(place.sender for place in at_places),
        tuple(
            (
                member.field.tag,
                frozenset((place.sender, presence_at(member, place)) for place in at_places),
                _applicable((*member.required_when, *member.forbidden_when, *member.only_when), at_places),
                _limits_at(member, at_places),
                None if member.group is None else _comparison_key(member.group.members, at_places),
            )
            for member in members
        ),
    )


def _applicable(conditions: tuple[Condition, ...], at_places: Iterable[Place]) -> tuple[Condition, ...]:
    """Return the conditions that apply at any of these places."""
    return tuple(each for each in conditions if any(place.within(each.scope) for place in at_places))


def _is_rule(condition: Condition, at_places: tuple[Place, ...]) -> bool:
    """Return whether a condition depends only on sibling fields, and applies at all of these places."""
    scope = condition.scope
    return bool(
        condition.terms
        and not scope.messages
        and not scope.logon
        and all(place.within(scope) for place in at_places)
    )


def _without_rules(member: Member, at_places: tuple[Place, ...]) -> Member:
    """Return a member with only the conditions that apply at some of these places and have no rule."""

    def rest(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        return tuple(each for each in _applicable(conditions, at_places) if not _is_rule(each, at_places))

    # Keep all of these conditions or none: as in `_rules`, one rule expresses all of them together.
    only = _applicable(member.only_when, at_places)
    return attrs.evolve(
        member,
        required_when=rest(member.required_when),
        forbidden_when=rest(member.forbidden_when),
        only_when=only if rest(only) else (),
    )


def _limits_at(member: Member, at_places: Iterable[Place]) -> tuple[Limit, ...]:
    return tuple(each for each in member.limits if any(place.within(each.when.scope) for place in at_places))


def _contains_group(members: Iterable[Member], group: Group) -> bool:
    return any(each.group is not None and each.group.name == group.name for each, _ in walk(members))


def _differences(member: Member, at_places: tuple[Place, ...]) -> str:
    """Return the presence by place, for a member whose presence depends on session type or sender."""
    sessions_by_presence: dict[str, list[str]] = {}
    for place in at_places:
        session = f"{place.session} ({place.sender})"
        sessions = sessions_by_presence.setdefault(presence_at(member, place), [])
        if session not in sessions:
            sessions.append(session)
    return " ".join(
        f"{presence.capitalize()} on {', '.join(sessions)}."
        for presence, sessions in sessions_by_presence.items()
    )


def _literal(field: Field, value: str) -> str:
    """Return a wire value in Score: the name of a code, text in quotes, or a number unchanged."""
    for code in field.codes:
        if code.value == value:
            return f"^{code.name}"
    return value if field.datatype.kind in {"INT", "DECIMAL", "SEQNUM", "NUMINGROUP"} else f'"{value}"'
