"""Rules of the spec as English sentences, for docstrings and reference pages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from codegen.model import Condition, Field, Group, Limit, Member, OneOf, Pedigree, PresenceRule, Scope

BY_SESSION = "dollars or cents"
"""Unit of a field in dollars or cents, depending on the Logon."""
_PRESENCE = {"required": "Required", "optional": "Optional", "forbidden": "Not allowed", "constant": "Fixed"}


def sentence(text: str) -> str:
    """Return the text with single spaces; add a full stop if it does not end with one, or with ! or ?."""
    text = " ".join(text.split())
    return text if not text or text[-1] in ".!?" else f"{text}."


def join_words(words: tuple[str, ...], last: str = "and") -> str:
    """Return `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def scope_text(scope: Scope) -> str:
    """Return where a scope applies, such as `from the client on margin, on KalshiNR`; empty for anywhere."""
    parts = []
    if scope.sender:
        parts.append(f"from the {scope.sender}")
    if scope.products:
        parts.append(f"on {join_words(scope.products)}")
    text = " ".join(parts)
    if scope.sessions:
        text += (", " if scope.products else " " if text else "") + f"on {join_words(scope.sessions)}"
    return text


def presence_text(member: Member, siblings: Mapping[str, Field], products: tuple[str, ...]) -> str:
    """Return sentences on where a member is required, optional or not allowed.

    `siblings` contains the fields of the same block by FIX name, and `products` all products of the dialect.
    """
    # A sentence for a rule with the member's general presence would look like an exception.
    rules = [rule for rule in member.rules if rule.presence != member.presence]
    sentences = [_rule_text(rule) for rule in rules]
    conditions = condition_sentences(member, siblings)
    if member.constant is not None:
        sentences.append(f"Always {value_text(member.field, member.constant)}.")
    # Write `elsewhere` only if the rules do not cover everything.
    elif not _cover_everything([rule.scope for rule in rules], products):
        if rules:
            sentences.append(f"{_PRESENCE[member.presence]} elsewhere.")
        elif member.presence != "optional" or not conditions:
            sentences.append(f"{_PRESENCE[member.presence]}.")
    return " ".join([*sentences, *conditions])


def condition_sentences(member: Member, siblings: Mapping[str, Field]) -> list[str]:
    """Return sentences on the conditions of a member."""
    sentences = []
    if member.required_when:
        sentences.append(f"Required {conditions_text(member.required_when, siblings)}.")
    if member.only_when:
        sentences.append(f"Allowed only {conditions_text(member.only_when, siblings)}.")
    return sentences + [_forbidden_text(member, condition, siblings) for condition in member.forbidden_when]


def _forbidden_text(member: Member, condition: Condition, siblings: Mapping[str, Field]) -> str:
    """Return a sentence for a forbidding condition; a condition on the member's own value forbids only that
    value.
    """
    # For example, TimeInForce has `forbidden_when: {TimeInForce: GoodTillDate}`.
    terms = dict(condition.terms)
    own_values = terms.pop(member.field.name, None)
    if not own_values:
        return f"Not allowed {conditions_text((condition,), siblings)}."
    values = join_words(tuple(value_text(member.field, value) for value in own_values), "or")
    rest = Condition(tuple(terms.items()), condition.scope)
    if rest == Condition():
        return f"Never {values}."
    return f"Must not be {values} {conditions_text((rest,), siblings)}."


def _cover_everything(scopes: list[Scope], products: tuple[str, ...]) -> bool:
    """Return whether the scopes cover everything: each product by a scope that restricts only products, or
    each sender by a scope that restricts only the sender.
    """
    # A scope that also names a sender covers only part of the product.
    covered = {
        product for scope in scopes if scope == Scope(products=scope.products) for product in scope.products
    }
    senders = {scope.sender for scope in scopes if scope == Scope(sender=scope.sender)}
    return (bool(products) and covered >= set(products)) or senders >= {"client", "venue"}


def _rule_text(rule: PresenceRule) -> str:
    where = scope_text(rule.scope)
    return f"{_PRESENCE[rule.presence]} {where}." if where else f"{_PRESENCE[rule.presence]}."


def conditions_text(conditions: tuple[Condition, ...], siblings: Mapping[str, Field]) -> str:
    """Return `when A is 1 or 2 and B is present, or when C is absent`."""
    return ", or ".join(f"when {condition_text(condition, siblings)}" for condition in conditions)


def condition_text(condition: Condition, siblings: Mapping[str, Field]) -> str:
    """Return one condition, such as `TimeInForce is GOOD_TILL_DATE` or `sent from the client on margin`."""
    scope = condition.scope
    where = _place_text(scope)
    terms = [f"{_term_text(name, values, {})} in the Logon" for name, values in scope.logon]
    terms += [_term_text(name, values, siblings) for name, values in condition.terms]
    return " and ".join([f"sent {where}", *terms] if where else terms)


def _place_text(scope: Scope) -> str:
    """Return where a condition applies: `scope_text` and the messages."""
    messages = f"in {join_words(tuple(name for name, _ in scope.messages))}" if scope.messages else ""
    return " ".join(filter(None, (scope_text(scope), messages)))


def where_text(scope: Scope) -> str:
    """Return where a limit applies: `scope_text`, the messages, and the condition on the Logon."""
    parts = [_place_text(scope)]
    for name, values in scope.logon:
        if values:
            shown = join_words(tuple(value or "absent" for value in values), "or")
        else:
            shown = "absent" if values is None else "present"
        parts.append(f"with {name} {shown} in the Logon")
    return " ".join(filter(None, parts))


def _term_text(name: str, values: tuple[str, ...] | None, siblings: Mapping[str, Field]) -> str:
    if values is None:
        return f"{name} is absent"
    if not values:
        return f"{name} is present"
    field = siblings.get(name)
    shown = tuple(
        (value if field is None else value_text(field, value)) if value else "absent" for value in values
    )
    return f"{name} is {join_words(shown, 'or')}"


def value_text(field: Field, value: str) -> str:
    """Return a wire value for display: the constant of a code, else the value itself."""
    return next((code.constant for code in field.codes if code.value == value), value)


def one_of_text(one_of: OneOf) -> str:
    """Return a sentence, such as `Exactly one of OrderQty and CashOrderQty is present, from the client`."""
    mode = one_of.mode.replace("_", " ").capitalize()
    where = scope_text(one_of.scope)
    return f"{mode} of {join_words(one_of.names)} is present{f', {where}' if where else ''}."


def pedigree_text(pedigree: Pedigree) -> str:
    """Return sentences such as `Since 1.0.26 (2026-08-01).`, oldest change first."""
    return " ".join(pedigree_sentences(pedigree))


def pedigree_sentences(pedigree: Pedigree) -> list[str]:
    """Return the sentences of `pedigree_text` as a list."""
    words = {
        "added": "Since",
        "updated": "Changed in",
        "deprecated": "Deprecated since",
        "removed": "Removed in",
    }
    sentences = []
    for change in pedigree.changes:
        since = change.version or change.date or ""
        if change.version and change.date:
            since += f" ({change.date})"
        head = f"{words[change.kind]} {since}" if since else change.kind.capitalize()
        sentences.append(sentence(f"{head}: {change.note}" if change.note else head))
    return sentences


def count_text(group: Group) -> str:
    """Return a sentence on the number of entries of a group; empty if it is not limited."""
    minimum, maximum = group.minimum, group.maximum
    entries = "entry" if maximum == 1 else "entries"
    if maximum is None:
        return f"At least {minimum} entries." if minimum > 1 else ""
    if minimum == maximum:
        return f"Exactly {maximum} {entries}."
    return f"From {minimum} to {maximum} {entries}." if minimum > 1 else f"At most {maximum} {entries}."


def unit_text(field: Field) -> str:
    """Return a sentence on the unit of a field's values; empty if it has none."""
    if field.unit == BY_SESSION:
        return "In dollars or in cents, depending on UseDollars in the Logon."
    return f"In {field.unit}." if field.unit else ""


def limits_text(
    field: Field, member_limits: tuple[Limit, ...] = (), siblings: Mapping[str, Field] = MappingProxyType({})
) -> str:
    """Return sentences on the range and the form of a field's values; `member_limits` contains the limits of
    a member, and `siblings` the fields of its block.
    """
    parts = _range(field.minimum, field.maximum)
    if field.max_length is not None:
        parts.append(f"at most {field.max_length} characters")
    if field.pattern is not None:
        parts.append(f"matches `{field.pattern}`")
    # A member's limit replaces the field's limit with the same condition; the field's other limits still
    # apply.
    replaced = {limit.when for limit in member_limits}
    limits = [limit for limit in field.limits if limit.when not in replaced]
    parts += [_limit_text(limit, field, siblings) for limit in (*limits, *member_limits)]
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in parts)


def _limit_text(limit: Limit, field: Field, siblings: Mapping[str, Field]) -> str:
    parts = _range(limit.minimum, limit.maximum)
    if field.datatype.kind == "NUMINGROUP":
        parts.append("entry" if limit.maximum == "1" else "entries")
    if limit.values:
        parts.append(f"only {join_words(tuple(value_text(field, value) for value in limit.values), 'or')}")
    if limit.unit is not None:
        parts.append(limit.unit)
    if limit.step is not None:
        parts.append(f"in steps of {limit.step}")
    if limit.max_length is not None:
        parts.append(f"at most {limit.max_length} characters")
    if limit.pattern is not None:
        parts.append(f"matching `{limit.pattern}`")
    if where := where_text(limit.when.scope):
        parts.append(where)
    if field_terms := " and ".join(_term_text(name, values, siblings) for name, values in limit.when.terms):
        parts.append(f"when {field_terms}")
    return " ".join(parts)


def _range(minimum: int | str | None, maximum: int | str | None) -> list[str]:
    if minimum is not None and maximum is not None:
        return [f"from {minimum} to {maximum}"]
    if minimum is not None:
        return [f"at least {minimum}"]
    return [] if maximum is None else [f"at most {maximum}"]
