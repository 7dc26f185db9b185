"""The reference pages as Markdown, by their path below `docs/reference/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from codegen.export.reference.examples import Example
from codegen.export.reference.history import history
from codegen.format import templates
from codegen.model import Dialect, Field, Member, Message, walk
from codegen.naming import snake_case, texts_class
from codegen.presence import Place, places, places_of, presences
from codegen.prose import (
    count_text,
    join_words,
    limits_text,
    one_of_text,
    pedigree_sentences,
    pedigree_text,
    presence_text,
    sentence,
)

_TEMPLATES = Path(__file__).parent / "templates"
MARK = "<!-- Written by `python -m codegen`; edit the spec instead. -->"
_PRESENCE = {"required": "yes", "constant": "yes", "optional": "no", "forbidden": "never"}

_MAX_ACRONYM_LENGTH = 3
"""Names of message families up to this length, such as RFQ, are written in capitals."""


@attrs.frozen
class Row:
    """A field or group in a table."""

    tag: int
    name: str
    link: str
    attribute: str
    type: str
    presence: str
    """One word, or one for each product that has the message."""
    text: str


@attrs.frozen
class Table:
    """The members of a message, or of a group's entries."""

    title: str
    """Empty for the message itself."""
    text: str
    rows: tuple[Row, ...]
    rules: tuple[str, ...]


@attrs.frozen
class Use:
    """One occurrence of a tag."""

    message: str
    link: str
    where: str
    """The group in the message; empty if the tag is not in a group."""
    text: str


def render(dialect: Dialect, examples: Mapping[str, list[Example]]) -> dict[str, str]:
    """Return every page of the reference by its path."""
    environment = templates(_TEMPLATES)
    environment.filters["cell"] = cell
    environment.filters["lines"] = _lines
    environment.globals.update(mark=MARK, dialect=dialect)
    pages = {
        "index.md": environment.get_template("index.md.j2").render(families=tuple(_families(dialect))),
        "sessions.md": environment.get_template("sessions.md.j2").render(
            sessions=dialect.session_types, endpoints=dialect.endpoints
        ),
        "limits.md": environment.get_template("limits.md.j2").render(limits=dialect.limits),
        "history.md": environment.get_template("history.md.j2").render(steps=history(dialect)),
        "tags.md": environment.get_template("tags.md.j2").render(
            fields=dialect.fields, links={field.name: field_path(field) for field in dialect.fields}
        ),
    }
    for message in dialect.messages:
        pages[message_path(message)] = environment.get_template("message.md.j2").render(
            message=message,
            products=_products(dialect, message),
            flows=tuple(_flows(dialect, message)),
            tables=tuple(_tables(dialect, message)),
            history=pedigree_sentences(message.pedigree),
            examples=examples.get(message.name, []),
            texts=[each for each in dialect.texts if each.message.name == message.name],
            texts_class=texts_class(message.name),
            text_history={each.value: pedigree_text(each.pedigree) for each in dialect.texts},
        )
    # A page for every tag, with the messages that use it.
    uses = _uses(dialect)
    for field in dialect.fields:
        pages[field_path(field)] = environment.get_template("tag.md.j2").render(
            field=field,
            uses=uses.get(field.name, ()),
            limits=limits_text(field),
            history=pedigree_text(field.pedigree),
            code_history={code.value: pedigree_text(code.pedigree) for code in field.codes},
        )
    return pages


def message_path(message: Message) -> str:
    """Return the path of a message's page."""
    return f"messages/{snake_case(message.name)}.md"


def field_path(field: Field) -> str:
    """Return the path of a tag's page."""
    return f"tags/{field.tag}.md"


def cell(text: str) -> str:
    """Format text for a table cell."""
    return " ".join(text.split()).replace("|", "\\|") or " "


def _lines(wire: str) -> str:
    """Wrap a long message between fields."""
    lines, line = [], ""
    for field in wire.removesuffix("|").split("|"):
        # Width of a code block on the page.
        if line and len(line) + len(field) > 100:
            lines.append(line)
            line = ""
        line += f"{field}|"
    return "\n".join([*lines, line])


# Messages


def _families(dialect: Dialect) -> Iterator[tuple[str, list[tuple[Message, str, str]]]]:
    families: dict[str, list[tuple[Message, str, str]]] = {}
    for message in dialect.messages:
        words = message.family.replace("_", " ")
        title = words.upper() if len(words) <= _MAX_ACRONYM_LENGTH else words.capitalize()
        senders = " and ".join(dict.fromkeys(sender for sender, _, _ in _flows(dialect, message)))
        families.setdefault(title, []).append((message, message_path(message), senders))
    yield from families.items()


def _products(dialect: Dialect, message: Message) -> tuple[str, ...]:
    return tuple(
        product.name for product in dialect.products if places_of(message, places(dialect, product.name))
    )


def _flows(dialect: Dialect, message: Message) -> Iterator[tuple[str, str, str]]:
    """Yield the sender, the product and the session types of each flow."""
    for product in _products(dialect, message):
        sessions_by_sender: dict[str, list[str]] = {}
        for place in places_of(message, places(dialect, product)):
            sessions_by_sender.setdefault(place.sender, []).append(place.session)
        for sender, sessions in sessions_by_sender.items():
            yield sender, product, join_words(tuple(sessions))


def _tables(dialect: Dialect, message: Message) -> Iterator[Table]:
    products = _products(dialect, message)
    places_by_product = tuple(places_of(message, places(dialect, product)) for product in products)
    rules = tuple(one_of_text(rule) for rule in message.one_of)
    yield Table("", "", tuple(_rows(message.members, products, places_by_product)), rules)
    for member, _ in walk(message.members):
        group, counter, attribute = member.group, member.field, member.attribute
        if group is None:
            continue
        title = f"{counter.name} ({counter.tag}): entries of `{attribute}`, each a `{group.entry_class}`"
        openers = join_words(tuple(each.name for each in group.delimiters), "or")
        sentences = (sentence(group.doc), count_text(group), f"An entry begins with {openers}.")
        text = " ".join(filter(None, sentences))
        group_rules = tuple(one_of_text(rule) for rule in group.one_of)
        yield Table(title, text, tuple(_rows(group.members, products, places_by_product)), group_rules)


def _rows(
    members: tuple[Member, ...], products: tuple[str, ...], places_by_product: tuple[tuple[Place, ...], ...]
) -> Iterator[Row]:
    siblings = {member.field.name: member.field for member in members}
    for member in members:
        field = member.field
        presences_by_product = tuple(
            presences(member, product_places) for product_places in places_by_product
        )
        texts = [sentence(member.doc)]
        texts.append(_details(member, siblings, products, presences_by_product))
        if member.default is not None:
            texts.append(f"If absent: {member.default}.")
        if member.legacy_fields:
            old = join_words(tuple(f"{each.name} ({each.tag})" for each in member.legacy_fields))
            texts.append(f"Also read from {old}.")
        texts.append(pedigree_text(member.pedigree))
        texts.append(sentence(member.why))
        yield Row(
            field.tag,
            field.name,
            f"../{field_path(field)}",
            member.attribute,
            _type(member),
            _presence(member, products, presences_by_product),
            " ".join(filter(None, texts)),
        )


def _details(
    member: Member,
    siblings: Mapping[str, Field],
    products: tuple[str, ...],
    presences_by_product: tuple[frozenset[str], ...],
) -> str:
    """Return conditions, and differences by session type or sender, which the columns cannot show."""
    # The column has one word per product, so it cannot show conditions, or differences within a product.
    varies = any(len(each) > 1 for each in presences_by_product)
    conditions = member.required_when or member.forbidden_when or member.only_when
    presence = presence_text(member, siblings, products) if conditions or varies else ""
    limits = limits_text(member.field, member.limits, siblings) if member.limits else ""
    return " ".join(filter(None, (presence, limits)))


def _presence(
    member: Member, products: tuple[str, ...], presences_by_product: tuple[frozenset[str], ...]
) -> str:
    words = [_presence_word(each, member) for each in presences_by_product]
    if len(set(words)) == 1:
        return words[0]
    return "<br>".join(f"{product}: {each}" for product, each in zip(products, words, strict=True))


def _presence_word(product_presences: frozenset[str], member: Member) -> str:
    if len(product_presences) > 1:
        return "depends"
    (presence,) = product_presences
    # `no` would be wrong if a condition applies.
    if presence == "optional" and member.required_when:
        return "depends"
    return _PRESENCE[presence]


def _type(member: Member) -> str:
    field = member.field
    if member.group is not None:
        return f"list of `{member.group.entry_class}`"
    name = f"`{field.codeset.name}`" if field.codeset is not None else f"`{field.datatype.python.type}`"
    unit = f", {field.unit}" if field.unit else ""
    return f"{name}{unit}"


# Tags


def _uses(dialect: Dialect) -> dict[str, list[Use]]:
    uses_by_field: dict[str, list[Use]] = {}
    for name, members in (("Header", dialect.header), ("Trailer", dialect.trailer)):
        for member in members:
            uses_by_field.setdefault(member.field.name, []).append(Use(name, "", "", member.doc))
    for message in dialect.messages:
        link = f"../{message_path(message)}"
        for member, enclosing_groups in walk(message.members):
            where = enclosing_groups[-1].field.name if enclosing_groups else ""
            for field in (member.field, *member.legacy_fields):
                text = member.doc if field is member.field else f"The older tag of {member.field.name}."
                uses_by_field.setdefault(field.name, []).append(Use(message.name, link, where, text))
    for field in dialect.fields:
        if field.length_field is not None:
            uses = [
                attrs.evolve(use, text=f"The length of {field.name}.")
                for use in uses_by_field.get(field.name, ())
            ]
            uses_by_field.setdefault(field.length_field, []).extend(uses)
    return uses_by_field
