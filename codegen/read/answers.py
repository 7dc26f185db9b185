"""Resolve `request`, `answers` and `tracks` of messages.

These keys define which messages are requests, which ones answer them, and which ones report resting orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from codegen import model
from codegen.read.constructors import constructors
from codegen.read.context import Context, maps, text, words
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.nodes import Map

_NUMBER = "MsgSeqNum"
"""Header field that can identify any message."""
_TEXT = "Text"


def with_references(
    context: Context, messages: list[model.Message], header: Iterable[model.Member]
) -> list[model.Message]:
    """Return the messages with their `constructors`, `request`, `answers` and `tracks` resolved.

    Unknown names, and answers to messages that are not requests, are recorded as mistakes. If mistakes
    were already recorded, the messages are returned unchanged.
    """
    if context.mistakes.found:
        return messages
    # Reject identifies the rejected message by the MsgSeqNum of its header.
    header_fields = {member.field.name: member.field for member in header if member.field.name == _NUMBER}
    by_name = {message.name: message for message in messages}
    return [_resolve_message(context, message, by_name, header_fields) for message in messages]


def _resolve_message(
    context: Context,
    message: model.Message,
    by_name: Mapping[str, model.Message],
    header_fields: Mapping[str, model.Field],
) -> model.Message:
    node = context.spec.sections["messages"][message.name].node
    label = f"`request` of message `{message.name}`"
    # For `request`, the header's MsgSeqNum takes precedence over a field of the body with the same name.
    known = {**_fields_outside_groups(message), **header_fields}
    request = [
        known[name].attribute
        for name, where in words(node.get("request"))
        if _check_field_name(context, name, where, known, label)
    ]
    # For an answer, the field of the body takes precedence.
    answers = (
        _answer_rule(context, message, each, by_name, {**header_fields, **_fields_outside_groups(message)})
        for each in maps(node.get("answers"))
    )
    tracks = node.get("tracks")
    return attrs.evolve(
        message,
        constructors=tuple(constructors(context, message)),
        request=tuple(request),
        answers=tuple(answers),
        tracks=_resting_order_rule(context, message, tracks) if isinstance(tracks, Map) else None,
    )


def _resting_order_rule(context: Context, message: model.Message, node: Map) -> model.RestingOrderRule | None:
    known, name = _fields_outside_groups(message), text(node, "field")
    label = f"`tracks` of message `{message.name}`"
    field = known[name] if _check_field_name(context, name, node.at("field"), known, label) else None
    sessions = words(node.get("sessions"))
    known_sessions = [
        context.require(each, context.sessions, "session type", where) for each, where in sessions
    ]
    resting = _condition(context, message, node, "resting")
    done = _condition(context, message, node, "done")
    if field is None or resting is None or done is None or not all(known_sessions):
        return None
    return model.RestingOrderRule(field, tuple(each for each, _ in sessions), resting, done)


def _answer_rule(
    context: Context,
    message: model.Message,
    node: Map,
    by_name: Mapping[str, model.Message],
    known: Mapping[str, model.Field],
) -> model.AnswerRule:
    name = text(node, "field")
    label = f"`field` of message `{message.name}`"
    field = (
        known.get(name)
        if not name or _check_field_name(context, name, node.at("field"), known, label)
        else None
    )
    # An answer may repeat the id in a different field from the request's: RefSeqNum for MsgSeqNum.
    repeated = text(node, "repeats") or name
    # Invalid requests are skipped, so that each mistake is reported once.
    msg_types, attribute = [], ""
    for request, where in words(node.get("requests")):
        if not context.require(request, by_name, "message", where):
            continue
        request_fields = [
            each for each, _ in words(context.spec.sections["messages"][request].node.get("request"))
        ]
        if not request_fields:
            what = f"message `{message.name}` answers `{request}`, which is not a request"
            advice = f"add `request` to `{request}` with the field that identifies it"
            context.mistakes.add(where, what, advice)
        elif field is not None and repeated not in request_fields:
            what = f"message `{message.name}` identifies `{request}` by `{repeated}`, "
            what += f"which is not in the `request` of `{request}`"
            context.mistakes.add(
                where, what, f"add it there, or set `repeats` to one of {', '.join(request_fields)}"
            )
        elif field is not None:
            fields = {**known, **_fields_outside_groups(by_name[request])}
            attribute = fields[repeated].attribute if repeated in fields else ""
        msg_types.append(by_name[request].msg_type)
    return model.AnswerRule(
        tuple(sorted(msg_types)),
        field,
        attribute,
        _condition(context, message, node, "when"),
        _condition(context, message, node, "unless"),
        _condition(context, message, node, "open_when"),
        _created_object(context, message, node, by_name, known),
    )


def _created_object(
    context: Context,
    message: model.Message,
    node: Map,
    by_name: Mapping[str, model.Message],
    known: Mapping[str, model.Field],
) -> tuple[str, model.Field] | None:
    """Return the request type whose requests each create a separate object, and the field that contains the
    object's id.
    """
    mapping = node.mapping("creates")
    answered = [request for request, _ in words(node.get("requests"))]
    if any(request not in by_name for request in answered):
        return None  # already reported
    for request in mapping:
        where, name = mapping.at(request), text(mapping, request)
        label = f"`creates` of message `{message.name}`"
        what = f"{label} names `{request}`, which it does not answer here"
        is_answered = context.check_among(request, answered, where, what)
        if is_answered and _check_field_name(context, name, where, known, label):
            return by_name[request].msg_type, known[name]
    return None


def _condition(context: Context, message: model.Message, node: Map, key: str) -> model.Condition | None:
    """Return a condition on coded fields or known texts of a message."""
    condition, known = node.mapping(key), _fields_outside_groups(message)
    terms: list[tuple[str, tuple[str, ...] | None]] = []
    for name in condition:
        label = f"`{key}` of message `{message.name}`"
        if not _check_field_name(context, name, condition.at(name), known, label):
            continue
        listed = words(condition.entries[name])
        listed_words = [word for word, _ in listed]
        if listed_words == ["absent"]:
            terms.append((name, None))
        elif listed_words == ["present"]:
            terms.append((name, ()))
        else:
            values, kind = _values(context, known[name]), "known text" if name == _TEXT else "code"
            codes = {
                values[word]
                for word, where in listed
                if context.check_among(word, values, where, f"`{word}` is not a {kind} of `{name}`")
            }
            # Sorted for a stable order in the generated file.
            terms.append((name, tuple(sorted(codes))))
    return model.Condition(tuple(terms)) if terms else None


def _values(context: Context, field: model.Field) -> dict[str, str]:
    """Return the known values of a field by each of their names; for Text, the values in all messages."""
    if field.name == _TEXT:
        listed = context.spec.sections["texts"].values()
        return {value: value for texts in listed for value in texts.node}
    return field.named_values


def _check_field_name(
    context: Context, name: str, where: Location, known: Mapping[str, model.Field], label: str
) -> bool:
    return context.check_among(name, known, where, f"{label} names `{name}`, which is not one of its fields")


def _fields_outside_groups(message: model.Message) -> dict[str, model.Field]:
    """Return the fields of a message outside groups, by name."""
    return {member.field.name: member.field for member in message.members if member.group is None}
