"""Resolve the known values of Text (58), and the texts of refused Logons."""

from __future__ import annotations

from codegen import model
from codegen.naming import text_constant
from codegen.read.context import Context, text
from kalshi_fix_adapters.documents.nodes import Map


def known_texts(context: Context, messages: list[model.Message]) -> tuple[model.KnownText, ...]:
    """Return every known text, in the order of the file; undefined messages, fields and codes are recorded as
    mistakes.
    """
    by_name = {message.name: message for message in messages}
    found: list[model.KnownText] = []
    for name, entry in context.spec.sections["texts"].items():
        if not context.require(name, by_name, "message", entry.location):
            continue
        constants: dict[str, str] = {}
        for value in entry.node:
            constant = text_constant(value)
            # `Unknown symbol` and `UNKNOWN_SYMBOL` are different texts on the wire, but the same Python name.
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
                    **context.element_arguments(node, entry.source, f"text `{value}` of `{name}`", where),
                )
            )
    return tuple(found)


def refusals(context: Context) -> tuple[model.Refusal, ...]:
    """Return every reason for refusing a Logon, in the order of the file.

    The first reason that matches a Text applies. Reasons with `resolution: time` must be last, so that a Text
    with a lasting reason, such as a key that is not allowed, never leads to a retry.
    """
    found: list[model.Refusal] = []
    first_temporary = ""
    for name, entry in context.spec.sections["refusals"].items():
        resolution = text(entry.node, "resolution")
        if resolution == "time":
            # All reasons after the first one with `resolution: time` must have it too.
            first_temporary = first_temporary or name
        elif first_temporary:
            what = f"refusal `{name}` is after `{first_temporary}`, which has `resolution: time`"
            context.mistakes.add(entry.location, what, f"put it before `{first_temporary}`")
        found.append(
            model.Refusal(
                name=name,
                pattern=text(entry.node, "pattern"),
                resolution=resolution,
                doc=text(entry.node, "doc"),
                **context.element_arguments(entry.node, entry.source, f"refusal `{name}`", entry.location),
            )
        )
    return tuple(found)


def _meaning(
    context: Context, message: model.Message, means: Map
) -> tuple[model.Field | None, model.Code | None]:
    """Return the message's field and code that mean the same as the text."""
    fields = {member.field.name: member.field for member in message.members}
    for name in means:
        where, code_text = means.at(name), text(means, name)
        if not context.check_among(
            name, fields, where, f"`{name}` is not a field of message `{message.name}`"
        ):
            continue
        codes = {code.name: code for code in fields[name].codes}
        code = fields[name].code(code_text)
        what = f"`{code_text}` is not a code of `{name}`"
        if code is not None or context.check_among(code_text, codes, where, what):
            return fields[name], code
    return None, None
