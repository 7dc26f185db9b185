"""Resolve elements that do not refer to messages: datatypes, codesets, fields, sessions, hosts, products."""

from __future__ import annotations

import re
from collections.abc import Mapping

from codegen import model
from codegen.model import CODED_KINDS, INTEGER_KINDS
from codegen.naming import FIX_NAME, attribute_name, is_attribute, upper_snake
from codegen.read.context import Context, flag, integer, optional_text, text, words
from codegen.read.load import Definition
from kalshi_fix_adapters.documents.nodes import Map, Scalar

_COUNTER_DOC = "Number of entries in the group that follows."
_INTEGER = re.compile(r"-?[0-9]+\Z")


def datatypes(context: Context) -> dict[str, model.Datatype]:
    """Return every datatype by name."""
    return {
        name: model.Datatype(
            name=name,
            kind=text(entry.node, "kind"),
            quickfix=text(entry.node, "quickfix", name),
            doc=text(entry.node, "doc"),
        )
        for name, entry in context.spec.sections["datatypes"].items()
    }


def codesets(context: Context, types: Mapping[str, model.Datatype]) -> dict[str, model.CodeSet]:
    """Return every codeset by name; its values are integers if the fields that use it contain integers."""
    # For each codeset, the lexical kinds of its fields, each with one of these fields.
    kinds: dict[str, dict[str, Definition]] = {}
    for entry in context.spec.sections["fields"].values():
        datatype = types.get(text(entry.node, "type"))
        name = optional_text(entry.node, "codes")
        if datatype is not None and name is not None:
            kinds.setdefault(name, {}).setdefault(datatype.kind, entry)
    codesets_by_name: dict[str, model.CodeSet] = {}
    for name, entry in context.spec.sections["codesets"].items():
        used_as = kinds.get(name, {})
        # Contains both True and False if fields of both kinds use it.
        are_integers = {kind in INTEGER_KINDS for kind in used_as}
        # The members of an enum are all text or all numbers, so they never equal values of the other kind.
        if len(are_integers) > 1:
            fields = " and ".join(sorted(each.name for each in used_as.values()))
            what = f"codeset `{name}` is used by text fields and by whole-number fields ({fields})"
            context.mistakes.add(entry.location, what, "give each field a separate codeset")
        codesets_by_name[name] = _codeset(
            context, entry, integer_values=True in are_integers, chars="CHAR" in used_as
        )
    return codesets_by_name


def _codeset(context: Context, entry: Definition, *, integer_values: bool, chars: bool) -> model.CodeSet:
    context.check_name(entry)
    entries = entry.node.mapping("codes")
    codes: list[model.Code] = []
    constants: dict[str, str] = {}
    values: dict[str, str] = {}
    for name in entries:
        node = entries.mapping(name)
        where = entries.at(name)
        value = text(node, "value")
        constant = upper_snake(name)
        label = f"code `{entry.name}.{name}`"
        if not FIX_NAME.match(name):
            context.mistakes.add(where, f"{label} is not a FIX-style name", "write it like PartiallyFilled")
        if constant in constants:
            what = f"{label} becomes {constant}, as `{constants[constant]}` does"
            context.mistakes.add(where, what, "rename one of the two")
        if value in values:
            what = f"{label} has the same value, {value}, as `{values[value]}`"
            context.mistakes.add(node.at("value"), what, "correct the value, or remove one of the two")
        if integer_values and not _INTEGER.match(value):
            what = f"{label} has the value `{value}`, but its field holds whole numbers"
            context.mistakes.add(node.at("value"), what, "correct the value or the field's type")
        # One field of type char is enough: the codeset must fit all fields that use it.
        if chars and len(value) != 1:
            what = f"{label} has the value `{value}`, but its field holds one character"
            context.mistakes.add(node.at("value"), what, "correct the value or the field's type")
        constants[constant] = values[value] = name
        codes.append(
            model.Code(
                name=name,
                constant=constant,
                value=value,
                doc=text(node, "doc"),
                **context.element_arguments(node, entry.source_of(name), label, where),
            )
        )
    return model.CodeSet(
        name=entry.name,
        integer=integer_values,
        open=flag(entry.node, "open", True),
        codes=tuple(codes),
        doc=text(entry.node, "doc"),
        location=entry.location,
    )


def fields(
    context: Context, types: Mapping[str, model.Datatype], sets: Mapping[str, model.CodeSet]
) -> dict[str, model.Field]:
    """Return every field by name. Fields that cannot be resolved are left out and recorded as mistakes."""
    fields_by_name: dict[str, model.Field] = {}
    tags: dict[int, Definition] = {}
    for name, entry in context.spec.sections["fields"].items():
        tag = integer(entry.node, "tag") or 0
        first = tags.setdefault(tag, entry)
        if first is not entry:
            what = f"field `{name}` has tag {tag}, which belongs to `{first.name}` (at {first.location})"
            context.mistakes.add(entry.node.at("tag"), what, "correct the tag, or remove one of the two")
        field = _field(context, entry, types, sets, tag)
        if field is not None:
            fields_by_name[name] = field
    return fields_by_name


def _field(
    context: Context,
    entry: Definition,
    types: Mapping[str, model.Datatype],
    sets: Mapping[str, model.CodeSet],
    tag: int,
) -> model.Field | None:
    node = entry.node
    label = f"field `{entry.name}`"
    context.check_name(entry)
    attribute = attribute_name(entry.name)
    if not is_attribute(attribute):
        advice = "rename the field; the name is reserved in the generated classes"
        context.mistakes.add(entry.location, f"{label} would be the attribute `{attribute}`", advice)
    type_name = text(node, "type")
    if not context.require(type_name, types, "datatype", node.at("type")):
        return None
    datatype = types[type_name]
    # An unknown codeset is treated as none from here on.
    codes = optional_text(node, "codes")
    if codes is not None and context.require(codes, sets, "codeset", node.at("codes")):
        if datatype.kind not in CODED_KINDS:
            what = f"{label} has codes, which a field of type {type_name} cannot have"
            context.mistakes.add(node.at("codes"), what, "remove `codes`, or correct the type")
    else:
        codes = None
    # Members refer to the length field by name, encoders by tag.
    length_field = _length_field(context, entry, datatype, types)
    length = context.spec.sections["fields"][length_field] if length_field is not None else None
    # A counter without a doc gets a standard one.
    doc = text(node, "doc") or (_COUNTER_DOC if datatype.kind == "NUMINGROUP" else "")
    if not doc and not context.terse:
        advice = "add `doc` with its meaning in a sentence"
        context.mistakes.add(entry.location, f"{label} has no doc", advice)
    minimum, maximum = integer(node, "minimum"), integer(node, "maximum")
    if minimum is not None and maximum is not None and minimum > maximum:
        what = f"{label} has a minimum above its maximum"
        context.mistakes.add(node.at("minimum"), what, "swap the two")
    return model.Field(
        tag=tag,
        name=entry.name,
        attribute=attribute,
        datatype=datatype,
        codeset=sets[codes] if codes is not None else None,
        unit=optional_text(node, "unit"),
        doc=doc,
        length_field=length_field,
        length_tag=integer(length.node, "tag") if length is not None else None,
        minimum=minimum,
        maximum=maximum,
        max_length=integer(node, "max_length"),
        pattern=optional_text(node, "pattern"),
        secret=flag(node, "secret"),
        **context.element_arguments(node, entry.source, label, entry.location),
    )


def _length_field(
    context: Context, entry: Definition, datatype: model.Datatype, types: Mapping[str, model.Datatype]
) -> str | None:
    name = optional_text(entry.node, "length")
    label = f"field `{entry.name}`"
    if datatype.kind != "DATA":
        if name is not None:
            what = f"{label} has a length field, but a {datatype.name} value ends at the next separator"
            context.mistakes.add(entry.node.at("length"), what, "remove `length`, or correct the type")
        return None
    if name is None:
        what = f"data field `{entry.name}` has no length field"
        context.mistakes.add(entry.location, what, "add `length` with the name of its LENGTH field")
        return None
    known = context.spec.sections["fields"]
    where = entry.node.at("length")
    if not context.require(name, known, "length field", where):
        return None
    length_type = types.get(text(known[name].node, "type"))
    # An unknown type is reported with that field.
    if length_type is not None and length_type.kind != "LENGTH":
        what = f"{label} names `{name}`, which is of type {length_type.name}, as its length"
        context.mistakes.add(where, what, "name a field of type LENGTH")
        return None
    return name


def products(context: Context) -> tuple[model.Product, ...]:
    """Return the manifest's products."""
    return tuple(
        model.Product(name=name, doc=text(node, "doc"), env_prefix=text(node, "env_prefix"))
        for name, (node, _) in context.spec.merged("products").items()
        if isinstance(node, Map)
    )


def limits(context: Context) -> tuple[model.VenueLimit, ...]:
    """Return the venue's limits that do not apply to single field values, in file order."""
    return tuple(
        model.VenueLimit(
            name=name,
            values=tuple(
                (key, text(entry.node.mapping("values"), key)) for key in entry.node.mapping("values")
            )
            # The key of a single number is the empty string.
            or (("", text(entry.node, "value") or ", ".join(_words(entry.node))),),
            words=_words(entry.node),
            unit=text(entry.node, "unit"),
            doc=text(entry.node, "doc"),
            **context.element_arguments(entry.node, entry.source, f"limit `{name}`", entry.location),
        )
        for name, entry in context.spec.sections["limits"].items()
    )


def _words(node: Map) -> tuple[str, ...]:
    return tuple(word for word, _ in words(node.get("words")))


def session_types(context: Context) -> tuple[model.SessionType, ...]:
    """Return the session types in file order."""
    hosts = [hosts for entry in context.spec.hosts.values() for _, hosts in _host_maps(entry.node)]
    roles = {role for host_map in hosts for role in host_map}
    types = []
    for name, entry in context.spec.sections["sessions"].items():
        node = entry.node
        product_names = words(node.get("products"))
        for product, where in product_names:
            context.require(product, context.products, "product", where)
        role = optional_text(node, "host")
        if role is not None:
            # Roles are not declared: they are the keys of the hosts.
            context.require(role, roles, "host role", node.at("host"))
        types.append(
            model.SessionType(
                name=name,
                purpose=text(node, "purpose"),
                resend=flag(node, "resend"),
                reset_required=flag(node, "reset_required"),
                products=tuple(product for product, _ in product_names),
                port=integer(node, "port"),
                host_role=role,
                service=optional_text(node, "service"),
                comp_ids=tuple(comp_id for comp_id, _ in words(node.get("comp_ids"))),
                max_message_size=integer(node, "max_message_size"),
                requests_per_second=integer(node, "requests_per_second"),
                symbols_per_request=integer(node, "symbols_per_request"),
                subscriptions=integer(node, "subscriptions"),
                past_reports_hours=integer(node, "past_reports_hours"),
                retention_hours=integer(node, "retention_hours"),
                **context.element_arguments(node, entry.source, f"session type `{name}`", entry.location),
            )
        )
    return tuple(types)


def endpoints(context: Context) -> tuple[model.Endpoint, ...]:
    """Return every host with its environment, product and role."""
    environments = environment_names(context)
    resolved = []
    for environment, entry in context.spec.hosts.items():
        context.require(environment, environments, "environment", entry.location)
        source = context.sources(entry.node, entry.source, f"`hosts.{environment}`", entry.location)
        for product, hosts in _host_maps(entry.node):
            context.require(product, context.products, "product", entry.node.at(product))
            resolved += [
                model.Endpoint(environment, product, role, host.text, source)
                for role, host in hosts.entries.items()
                if isinstance(host, Scalar)
            ]
    return tuple(resolved)


def standard_data(context: Context) -> tuple[tuple[int, int], ...]:
    """Return the tags of the standard's length fields, each with the tag of its data field."""
    tags = []
    for name, (node, where) in context.spec.merged("standard_data").items():
        if not name.isascii() or not name.isdigit():
            context.mistakes.add(where, f"`{name}` is not a tag", "write the tag of a length field")
        elif isinstance(node, Scalar) and isinstance(node.value, int):
            tags.append((int(name), node.value))
    return tuple(sorted(tags))


def environment_names(context: Context) -> tuple[str, ...]:
    """Return the manifest's environments."""
    return tuple(name for name, _ in words(context.spec.setting("environments")))


def _host_maps(node: Map) -> list[tuple[str, Map]]:
    return [(name, hosts) for name, hosts in node.entries.items() if isinstance(hosts, Map)]
