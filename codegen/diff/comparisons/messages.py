"""Compares which messages there are, where they flow, the known values of Text, and the pages themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codegen import model
from codegen.diff.comparisons import advice
from codegen.diff.facts import (
    DictionarySaid,
    FlowsSaid,
    MemberSaid,
    MentionSaid,
    MessageSaid,
    TextSaid,
    Unread,
    folded,
)
from codegen.diff.findings import Edit, Evidence, Finding
from codegen.diff.spec_index import DICTIONARY, PAGE
from kalshi_fix_adapters.documents.mistakes import Location


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Every difference in messages, flows, texts and pages, and everything that could not be read."""
    yield from _new(evidence)
    yield from _known(evidence)
    yield from _gone(evidence)
    yield from _flows(evidence)
    yield from _texts(evidence)
    yield from _pages(evidence)
    yield from _edition(evidence)
    for unread in evidence.facts(Unread):
        yield evidence.unread(unread)


def _new(evidence: Evidence) -> Iterator[Finding]:
    """Messages that the spec does not know: laid out, listed, or only spoken of."""
    spec = evidence.spec
    names: dict[str, str] = {}
    locations: dict[str, list[Location]] = {}
    said: list[MessageSaid | FlowsSaid] = [*evidence.facts(MessageSaid), *evidence.facts(FlowsSaid)]
    for each in said:
        if each.msg_type not in spec.messages:
            name = re.sub(r"[^A-Za-z0-9]", "", each.name)
            # The name in a table of messages is the name alone; a heading may be shorter or
            # longer.
            names[each.msg_type] = name if isinstance(each, FlowsSaid) else names.get(each.msg_type, name)
            locations.setdefault(each.msg_type, []).append(each.location)
    # A mention counts only where nothing better speaks of the message.
    for mention in evidence.facts(MentionSaid):
        if (
            mention.kind == "message"
            and mention.value not in spec.messages
            and mention.value not in locations
        ):
            names.setdefault(mention.value, "")
            locations[mention.value] = [mention.location]
    for msg_type, where in locations.items():
        name = names[msg_type] or msg_type
        count = len([each for each in evidence.facts(MemberSaid) if each.block == msg_type])
        laid_out = f" with {count} fields" if count else ""
        text = f"{name} (35={msg_type}): a message that the spec does not know{laid_out}"
        yield evidence.new("message", name, text, where, *advice.message(evidence, msg_type, name))


def _known(evidence: Evidence) -> Iterator[Finding]:
    """Messages of the spec under another name, of another category, on another product or on another page."""
    spec = evidence.spec
    for said in evidence.facts(MessageSaid):
        message = spec.messages.get(said.msg_type)
        if message is None:
            continue
        if not _same_name(said.name, message.name, exact=not evidence.is_pages):
            edit = Edit(
                message.location, f"`{re.sub('[^A-Za-z0-9]', '', said.name)}:`, or keep it and say why"
            )
            text = f"{message.name} ({said.msg_type}) is called {said.name}"
            yield evidence.differs("message", message.name, f"name {said.name}", text, [said.location], edit)
        if said.admin is not None and said.admin != message.admin:
            word = "admin" if said.admin else "app"
            edit = Edit(spec.message_location(message), "correct `admin`, or keep it and say why")
            text = f"{message.name} is of the category {word} there"
            yield evidence.differs("message", message.name, f"category {word}", text, [said.location], edit)
        if evidence.is_pages and not spec.places(message, evidence.product):
            edit = Edit(spec.message_location(message), f"let `flows` include {evidence.product}")
            text = f"{message.name} is on {evidence.product}, where the spec does not have it"
            yield evidence.new("message", message.name, text, [said.location], edit)
        # Messages of the session stand on several pages.
        elif evidence.is_pages and not message.admin:
            yield from _moved(evidence, said, message)


def _moved(evidence: Evidence, said: MessageSaid, message: model.Message) -> Iterator[Finding]:
    """A message that stands on another page than the spec says."""
    own = evidence.spec.pages_of(message.source, evidence.product or "")
    here = evidence.origin_of(said.location)
    others = [each for each in evidence.facts(MessageSaid) if each.msg_type == said.msg_type]
    if own and here not in own and not any(evidence.origin_of(each.location) in own for each in others):
        was = " and ".join(sorted(own))
        edit = Edit(evidence.spec.message_location(message), f"`source`: {here} in place of {was}")
        text = f"{message.name} stands on {here}, in the spec it comes from {was}"
        yield evidence.differs(
            "message", message.name, f"on {here}", text, [said.location], edit, group=f"moved from {was}"
        )


def _same_name(said: str, own: str, *, exact: bool) -> bool:
    """Whether a heading may be short for a name: `Mass Cancel Request` for OrderMassCancelRequest."""
    if exact:
        return said == own
    if folded(said) == folded(own):
        return True
    # The words of the one, in their order, among those of the other; a single word such as Request
    # would fit too many.
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", said)]
    left = iter(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", own))
    return len(words) > 1 and all(any(word == other for other in left) for word in words)


def _gone(evidence: Evidence) -> Iterator[Finding]:
    """Messages that the spec has from these sources and no heading or definition names."""
    spec = evidence.spec
    defined = {said.msg_type for said in evidence.facts(MessageSaid)}
    # A dictionary of the session layer defines no application messages, and need not.
    layers = {spec.messages[each].admin for each in defined if each in spec.messages}
    for message in spec.dialect.messages:
        places = [place for product in evidence.products for place in spec.places(message, product)]
        if message.msg_type in defined or message.pedigree.is_over or not places:
            continue
        expected = evidence.expects(message.source) if evidence.is_pages else message.admin in layers
        if expected:
            text = f"{message.name} (35={message.msg_type}) is not laid out"
            if not evidence.is_pages:
                text = f"{message.name} (35={message.msg_type}) is not defined"
            edit = Edit(
                spec.message_location(message), "remove it, give its real `source`, or keep it and say why"
            )
            yield evidence.gone(
                "message",
                message.name,
                text,
                [],
                edit,
                expected_in=message.source if evidence.is_pages else ", ".join(spec.origins),
                group=f"family {message.family}",
            )


def _flows(evidence: Evidence) -> Iterator[Finding]:
    """Where the tables of messages let each flow; a product with such tables has every message in them."""
    spec = evidence.spec
    listed = evidence.facts(FlowsSaid)
    for said in listed:
        message = spec.messages.get(said.msg_type)
        if message is None:
            continue
        if folded(said.name) != folded(message.name):
            edit = Edit(spec.message_location(message), f"`{said.name}:`, or keep it and say why")
            text = f"{message.name} ({said.msg_type}) is called {said.name}"
            yield evidence.differs("message", message.name, f"name {said.name}", text, [said.location], edit)
        # A row without a session type means all of the product's.
        sessions = {place.session for place in spec.places(None, evidence.product)}
        theirs = {(s, sender) for name, sender in said.flows for s in ({name} if name else sessions)}
        ours = {(place.session, place.sender) for place in spec.places(message, evidence.product)}
        if theirs != ours:
            word = _flow_text(theirs, sessions)
            edit = Edit(spec.message_location(message), f"make `flows` say: {word}")
            text = f"{message.name} flows {word}; in the spec {_flow_text(ours, sessions)}"
            yield evidence.differs("message", message.name, f"flows {word}", text, [said.location], edit)
    if listed:
        names = {said.msg_type for said in listed}
        for message in spec.dialect.messages:
            if message.msg_type not in names and spec.places(message, evidence.product):
                edit = Edit(spec.message_location(message), "remove it, or keep it and say why")
                text = f"{message.name} (35={message.msg_type}) is not in the tables of messages"
                yield evidence.gone(
                    "message", message.name, text, [listed[0].location], edit, says="not listed"
                )


def _flow_text(flows: set[tuple[str, str]], sessions: set[str]) -> str:
    parts = []
    for sender in ("client", "venue"):
        own = {session for session, who in flows if who == sender}
        if own:
            where = "" if own == sessions else f" on {', '.join(sorted(own))}"
            parts.append(f"from the {sender}{where}")
    return "; ".join(parts) or "nowhere"


def _texts(evidence: Evidence) -> Iterator[Finding]:
    """Values of Text, and the codes that they come with."""
    spec = evidence.spec
    known = {(each.message.msg_type, each.value): each for each in spec.dialect.texts}
    said = evidence.facts(TextSaid)
    for each in said:
        message = spec.messages.get(each.message)
        name = f"{message.name if message else each.message} {each.text}"
        own = known.get((each.message, each.text))
        if own is None:
            detail = f" with {each.field} {each.code}" if each.field else ""
            edit = advice.text(evidence, each, _meaning(evidence, each) if each.field else None)
            text = f"{name}: a value of Text that the spec does not list{detail}"
            yield evidence.new("text", name, text, [each.location], edit)
        elif each.field:
            field, code = _meaning(evidence, each)
            if (field, code) != (own.field.name if own.field else "", own.code.name if own.code else ""):
                mine = f"{own.field.name} {own.code.name}" if own.field and own.code else "nothing"
                edit = Edit(own.location, f"`means: {{{field}: {code}}}`")
                text = f"{name} comes with {each.field} {each.code}, in the spec with {mine}"
                word = f"with {each.field} {each.code}"
                yield evidence.differs("text", name, word, text, [each.location], edit)
    listed = {(each.message, each.text) for each in said}
    for (msg_type, value), own in known.items():
        places = spec.places(own.message, evidence.product)
        expected = evidence.is_pages and evidence.expects(own.source) and not own.pedigree.is_over
        if (msg_type, value) not in listed and expected and places:
            edit = Edit(own.location, "remove it, or keep it and say why")
            name = f"{own.message.name} {value}"
            text = f"{name}: this value of Text is not listed any more"
            yield evidence.gone("text", name, text, [], edit, expected_in=own.source)


def _meaning(evidence: Evidence, said: TextSaid) -> tuple[str, str]:
    """The field and the code that a text comes with, by the spec's names where it knows them."""
    spec = evidence.spec
    tag = int(said.field) if said.field.isdigit() else spec.vocabulary.tag_of(said.field)
    # Columns call a field more freely than headings do: `Execution Type` for ExecType, `OrdRejReason
    # value`.
    if tag is None:
        starts = [
            t for t, name in spec.vocabulary.fields.items() if folded(said.field).startswith(folded(name))
        ]
        near = [t for t, name in spec.vocabulary.fields.items() if folded(name) == "exectype"]
        tag = next((t for t in near if folded(said.field) == "executiontype"), starts[0] if starts else None)
    codes = spec.vocabulary.codes.get(tag or 0, {})
    code = next((name for name in codes.values() if folded(name) == folded(said.code)), said.code)
    return (spec.fields[tag].name if tag in spec.fields else said.field), code


def _pages(evidence: Evidence) -> Iterator[Finding]:
    """Pages that the manifest does not name, and those of a whole folder that are not there."""
    if not evidence.is_pages:
        return
    spec = evidence.spec
    known = {origin.id: origin for origin in spec.origins.values() if origin.kind == PAGE}
    # A spec without sources that are pages is compared with whatever it is given.
    if not known:
        return
    given = {reading.page: reading for reading in evidence.readings}
    for page, reading in given.items():
        if page not in known:
            edit = Edit(spec.manifest("sources"), f"`{page.rpartition('/')[2]}: page {page}`")
            text = f"page {page}: is not among the sources; {len(reading.facts)} facts were read from it"
            yield evidence.new("page", page, text, [Location(reading.file, 1)], edit, group="new pages")
    for page, origin in known.items():
        if (
            page not in given
            and origin.name in evidence.covered
            and spec.product_of_page(page) == evidence.product
        ):
            edit = Edit(origin.location, "see where its content is now; correct `sources` and each `source`")
            text = f"page {page}: is not there any more"
            yield evidence.gone("page", page, text, [], edit, expected_in=origin.name)


def _edition(evidence: Evidence) -> Iterator[Finding]:
    """A dictionary of another edition than the one that the spec was compared with."""
    editions = {o.id: o for o in evidence.spec.origins.values() if o.kind == DICTIONARY}
    for said in evidence.facts(DictionarySaid):
        if editions and said.version not in editions:
            origin = next(iter(editions.values()))
            edit = Edit(origin.location, f"`dictionary {said.version}` once all else is done")
            text = f"the dictionary is edition {said.version}; the spec knows {', '.join(editions)}"
            yield evidence.differs(
                "source", origin.name, f"edition {said.version}", text, [said.location], edit
            )
