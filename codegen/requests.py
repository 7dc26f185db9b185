"""Resolves which messages are requests, and which messages answer them."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from codegen import model
from codegen.context import Context, text, words
from codegen.errors import did_you_mean
from codegen.nodes import Map


def with_requests(context: Context, messages: list[model.Message]) -> list[model.Message]:
    """Return the messages with what their `request` and `answers` say.

    A name that leads nowhere, and an answer to a message that is no request, is noted; where something else
    is wrong already, that is mended first.
    """
    if context.mistakes.found:
        return messages
    by_name = {message.name: message for message in messages}
    return [_resolved(context, message, by_name) for message in messages]


def _resolved(context: Context, message: model.Message, by_name: dict[str, model.Message]) -> model.Message:
    node = context.source.sections["messages"][message.name].node
    request = _field(context, message, node, "request")
    answers = node.get("answers")
    return attrs.evolve(
        message,
        request=request,
        answers=_answers(context, message, answers, by_name) if isinstance(answers, Map) else None,
    )


def _answers(
    context: Context, message: model.Message, node: Map, by_name: dict[str, model.Message]
) -> model.Answers | None:
    sections = context.source.sections["messages"]
    asked = []
    for name, where in words(node.get("requests")):
        if not context.require(name, by_name, "message", where):
            continue
        if "request" not in sections[name].node:
            what = f"message `{message.name}` answers `{name}`, which is no request"
            context.mistakes.add(where, what, f"add `request` to `{name}` with the field that names it")
        asked.append(by_name[name].msg_type)
    field = _field(context, message, node, "field")
    coded, pending = _pending(context, message, node.mapping("pending"))
    return None if field is None else model.Answers(tuple(sorted(asked)), field, coded, pending)


def _pending(
    context: Context, message: model.Message, node: Map
) -> tuple[model.Field | None, tuple[str, ...]]:
    """The field that may say that there is no outcome yet, and the values by which it does."""
    for name in node:
        field = _plain(message).get(name)
        if field is None:
            what = f"`pending` of message `{message.name}` names `{name}`, which is not a field of it"
            context.mistakes.add(node.at(name), what, did_you_mean(name, _plain(message)))
            continue
        codes = field.codeset.codes if field.codeset is not None else ()
        values = []
        for word, where in words(node.entries[name]):
            code = next((code for code in codes if word in (code.name, code.value)), None)
            if code is None:
                what = f"`{word}` is not a code of `{name}`"
                context.mistakes.add(where, what, did_you_mean(word, [code.name for code in codes]))
            else:
                values.append(code.value)
        return field, tuple(sorted(values))
    return None, ()


def _field(context: Context, message: model.Message, node: Map, key: str) -> model.Field | None:
    """The field of a message that a key names."""
    name = text(node, key)
    found = _plain(message)
    if name and name not in found:
        what = f"`{key}` of message `{message.name}` names `{name}`, which is not a field of it"
        context.mistakes.add(node.at(key), what, did_you_mean(name, found))
    return found.get(name)


def _plain(message: model.Message) -> dict[str, model.Field]:
    """The fields of a message outside groups, by name."""
    members: Iterable[model.Member] = message.members
    return {member.field.name: member.field for member in members if member.group is None}
