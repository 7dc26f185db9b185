"""Resolve the model of a dialect from its spec folder."""

from __future__ import annotations

from pathlib import Path

from codegen import model
from codegen.errors import Mistakes
from codegen.naming import is_class_name, texts_class
from codegen.read import elements
from codegen.read.answers import with_references
from codegen.read.context import Context, flag, maps, text, words
from codegen.read.load import Definition, MergedSpec, load
from codegen.read.members import BlockResolver, nested_fields
from codegen.read.scopes import Places
from codegen.read.texts import known_texts, refusals
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.nodes import Node, Scalar

# FIX requires these tags in these positions in every dialect.
_HEADER_START = (8, 9, 35)
_TRAILER_END = 10


def load_dialect(folder: Path) -> model.Dialect:
    """Read, check and resolve the dialect in a spec folder.

    Raises:
        SpecError: lists all mistakes, each with file, line and advice.
    """
    return resolve(load(folder))


def resolve(spec: MergedSpec) -> model.Dialect:
    """Check and resolve a dialect that was read.

    Raises:
        SpecError: lists all mistakes, each with file, line and advice.
    """
    mistakes = Mistakes()
    context = Context(spec, mistakes)
    # Elements are resolved before those that refer to them. Scopes refer to products and sessions, fields to
    # codesets and datatypes, limits of fields to the Logon, members to fields, and answers to messages.
    products = elements.products(context)
    context.products = tuple(product.name for product in products)
    session_types = elements.session_types(context)
    context.sessions = {each.name: each.products for each in session_types}
    endpoints = elements.endpoints(context)
    datatypes = elements.datatypes(context)
    codesets = elements.codesets(context, datatypes)
    fields = elements.fields(context, datatypes, codesets)
    blocks = BlockResolver(context, fields)
    fields = blocks.with_limits()
    header, trailer = _header_and_trailer(context, blocks)
    messages = with_references(context, _messages(context, blocks), header)
    # Groups that no message contains are resolved too, to report their mistakes.
    for name in spec.sections["groups"]:
        blocks.group(name)
    _check_outer_tags(context, messages, (*header, *trailer))
    _check_classes(context, messages, blocks, codesets)
    # After a mistake, some references are unknown, so elements that are used could be reported as unused.
    if not mistakes.found:
        members = [*header, *trailer, *(member for each in messages for member in each.members)]
        _check_use(context, blocks, members, codesets)
    dialect = model.Dialect(
        name=_setting(context, "name"),
        title=_setting(context, "title"),
        begin_string=_setting(context, "begin_string"),
        appl_ver_id=_setting(context, "appl_ver_id"),
        products=products,
        datatypes=tuple(datatypes[name] for name in sorted(datatypes)),
        fields=tuple(sorted(fields.values(), key=lambda field: field.tag)),
        codesets=tuple(codesets[name] for name in sorted(codesets)),
        groups=tuple(blocks.groups.values()),
        header=header,
        trailer=trailer,
        messages=tuple(
            # The sort is stable: within a family, messages keep the order of the file.
            sorted(messages, key=lambda each: (not each.admin, spec.families.index(each.family)))
        ),
        session_types=session_types,
        endpoints=endpoints,
        environments=elements.environment_names(context),
        texts=known_texts(context, messages),
        refusals=refusals(context),
        limits=elements.limits(context),
        standard_data=elements.standard_data(context),
        versions=tuple(
            (name, node.text)
            for name, (node, _) in spec.merged("versions").items()
            if isinstance(node, Scalar)
        ),
        changelog_through=max(
            (text(each, "date") for note in spec.notes["changelog"] for each in maps(note.get("entries"))),
            default="",
        ),
        newest_page_date=max((text(note, "pages_of") for note in spec.notes["reviewed"]), default=""),
    )
    mistakes.raise_any()
    return dialect


def _setting(context: Context, key: str) -> str:
    node = context.spec.setting(key)
    if isinstance(node, Scalar):
        return node.text
    context.mistakes.add(context.spec.location, f"the manifest has no `{key}`", f"add `{key}`")
    return ""


def _header_and_trailer(
    context: Context, blocks: BlockResolver
) -> tuple[tuple[model.Member, ...], tuple[model.Member, ...]]:
    header, trailer = (_outer_block(context, blocks, name) for name in ("header", "trailer"))
    if header and tuple(member.field.tag for member in header[:3]) != _HEADER_START:
        advice = "put BeginString (8), BodyLength (9) and MsgType (35) first, in this order"
        context.mistakes.add(header[0].location, "the header does not start as required by FIX", advice)
    if trailer and trailer[-1].field.tag != _TRAILER_END:
        advice = "put CheckSum (10) last"
        context.mistakes.add(trailer[-1].location, "the trailer does not end as required by FIX", advice)
    return header, trailer


def _outer_block(context: Context, blocks: BlockResolver, name: str) -> tuple[model.Member, ...]:
    entry = context.spec.blocks.get(name)
    if entry is None:
        advice = f"add {name}.yaml, or extend a dialect that has it"
        context.mistakes.add(context.spec.location, f"the dialect has no {name}", advice)
        return ()
    return blocks.block(entry, f"the {name}", Places.from_context(context))[0]


def _messages(context: Context, blocks: BlockResolver) -> list[model.Message]:
    messages = []
    types: dict[str, Definition] = {}
    for name, entry in context.spec.sections["messages"].items():
        node = entry.node
        label = f"message `{name}`"
        msg_type = text(node, "msg_type")
        first = types.setdefault(msg_type, entry)
        if first is not entry:
            what = f"{label} has the type {msg_type}, which belongs to `{first.name}` (at {first.location})"
            context.mistakes.add(node.at("msg_type"), what, "correct the type, or remove one of the two")
        context.check_name(entry)
        everywhere = Places.from_context(context)
        flows = tuple(everywhere.scope(context, each, label) for each in maps(node.get("flows")))
        members, one_of = blocks.block(entry, label, everywhere.within(flows))
        arguments = context.element_arguments(node, entry.source, label, entry.location)
        messages.append(
            model.Message(
                name=name,
                msg_type=msg_type,
                admin=flag(node, "admin"),
                family=entry.family,
                doc=text(node, "doc"),
                members=members,
                one_of=one_of,
                flows=flows,
                past=tuple(
                    (change, _fields(context, blocks, earlier, label))
                    for change, earlier in context.past(node, arguments["pedigree"], "had")
                ),
                **arguments,
            )
        )
    return messages


def _fields(context: Context, blocks: BlockResolver, listed: Node, label: str) -> tuple[model.Field, ...]:
    """Return the fields of a message before a change."""
    return tuple(
        blocks.fields[name]
        for name, where in words(listed)
        if context.check_among(name, blocks.fields, where, f"{label} had `{name}`, which is not a field")
    )


def _check_outer_tags(
    context: Context, messages: list[model.Message], outer: tuple[model.Member, ...]
) -> None:
    """Record fields of the header or trailer that occur elsewhere: a parser could not distinguish them."""
    outer_names: set[str] = set()
    for member in outer:
        if member.field.name in outer_names:
            what = f"`{member.field.name}` is in both the header and the trailer"
            context.mistakes.add(member.location, what, "remove one of the two")
        outer_names.add(member.field.name)
    for message in messages:
        for member in message.members:
            inner = nested_fields(member.group) if member.group is not None else []
            for field in (member.field, *member.legacy_fields, *inner):
                if field.name in outer_names:
                    what = f"message `{message.name}` contains `{field.name}`, "
                    what += "which is in the header or trailer"
                    context.mistakes.add(member.location, what, "remove it from the message")


def _check_classes(
    context: Context, messages: list[model.Message], blocks: BlockResolver, codesets: dict[str, model.CodeSet]
) -> None:
    """Record class names that are reserved or not unique: messages, entries and codesets share a package."""
    classes: dict[str, tuple[str, Location]] = {}
    named: list[tuple[str, str, Location]] = []
    named += [(each.name, "message", each.location) for each in messages]
    named += [
        (each.entry_class, f"entry of group `{each.name}`", each.location) for each in blocks.groups.values()
    ]
    named += [(each.name, "codeset", each.location) for each in codesets.values()]
    texts = context.spec.sections["texts"]
    named += [(texts_class(name), f"texts of `{name}`", texts[name].location) for name in texts]
    for name, kind, location in named:
        if not is_class_name(name):
            what = f"{kind} `{name}` has a reserved class name"
            context.mistakes.add(location, what, "rename it")
        elif name in classes:
            other, first = classes[name]
            what = f"{kind} `{name}` and {other} `{name}` ({first}) would be the same class"
            advice = f"call the codeset `{name}Code`" if kind == "codeset" else "rename one of the two"
            context.mistakes.add(location, what, advice)
        else:
            classes[name] = (kind, location)


def _check_use(
    context: Context, blocks: BlockResolver, members: list[model.Member], codesets: dict[str, model.CodeSet]
) -> None:
    """Record groups and components that no message contains, and codesets that no field uses."""
    coded = {field.codeset.name for field in blocks.fields.values() if field.codeset is not None}
    for name, codeset in codesets.items():
        if name not in coded:
            advice = "use it as the `codes` of a field, or remove it"
            context.mistakes.add(codeset.location, f"no field uses codeset `{name}`", advice)
    # Groups at any depth count as used.
    used_groups = {member.group.name for member, _ in model.walk(members) if member.group is not None}
    for section, used in (("groups", used_groups), ("components", blocks.used_components)):
        for name, entry in context.spec.sections[section].items():
            if name not in used:
                what = f"no message contains {section.removesuffix('s')} `{name}`"
                context.mistakes.add(entry.location, what, "add it to the members of a message, or remove it")
