"""Resolves the known values of Text (58), and what it says of a Logon that is refused."""

from __future__ import annotations

from codegen import model
from codegen.naming import text_constant
from codegen.read.context import Context, text
from kalshi_fix_adapters.documents.nodes import Map


def known_texts(context: Context, messages: list[model.Message]) -> tuple[model.KnownText, ...]:
    """Every known text, in the order of the file; a message, field or code that there is not is noted."""
    by_name = {message.name: message for message in messages}
    found: list[model.KnownText] = []
    for name, entry in context.source.sections["texts"].items():
        if not context.require(name, by_name, "message", entry.location):
            continue
        constants: dict[str, str] = {}
        for value in entry.node:
            constant = text_constant(value)
            # `Unknown symbol` and `UNKNOWN_SYMBOL` are two texts on the wire and one name in
            # Python.
            first = constants.setdefault(constant, value)
            if first is not value:
                what = f"texts `{value}` and `{first}` of `{name}` would both be {constant}"
                context.mistakes.add(entry.node.at(value), what, "remove one of the two")
            node = entry.node.mapping(value)
            where = entry.node.at(value)
            field, code = _meaning(context, by_name[name], node.mapping("means"))
            found.append(
                model.KnownText(
                    message=by_name[name],
                    value=value,
                    constant=constant,
                    field=field,
                    code=code,
                    doc=text(node, "doc"),
                    **context.about(node, entry.source, f"text `{value}` of `{name}`", where),
                )
            )
    return tuple(found)


def refusals(context: Context) -> tuple[model.Refusal, ...]:
    """Every reason for refusing a Logon, in the order of the file. What time cures has to stand last: a key
    that is not allowed stays so, even if its Text asks to try again."""
    found: list[model.Refusal] = []
    passing = ""
    for name, entry in context.source.sections["refusals"].items():
        cure = text(entry.node, "cure")
        if cure == "time":
            # The first that time cures; from there on nothing may stand that time does not
            # cure.
            passing = passing or name
        elif passing:
            what = f"refusal `{name}` stands after `{passing}`, which time cures"
            context.mistakes.add(entry.location, what, f"put it before `{passing}`")
        found.append(
            model.Refusal(
                name=name,
                pattern=text(entry.node, "pattern"),
                cure=cure,
                doc=text(entry.node, "doc"),
                **context.about(entry.node, entry.source, f"refusal `{name}`", entry.location),
            )
        )
    return tuple(found)


def _meaning(
    context: Context, message: model.Message, means: Map
) -> tuple[model.Field | None, model.Code | None]:
    """The field of the message and its code that say the same."""
    fields = {member.field.name: member.field for member in message.members}
    for name in means:
        where, written = means.at(name), text(means, name)
        if not context.is_among(name, fields, where, f"`{name}` is not a field of message `{message.name}`"):
            continue
        codes = {code.name: code for code in fields[name].codes}
        code = fields[name].code(written)
        what = f"`{written}` is not a code of `{name}`"
        if code is not None or context.is_among(written, codes, where, what):
            return fields[name], code
    return None, None
