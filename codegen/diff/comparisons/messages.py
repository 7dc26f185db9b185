"""Compare the messages, their flows, the known values of Text, and the pages themselves.

A flow is a session type with the side, client or venue, that may send the message on it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

from codegen import model
from codegen.diff.comparisons import advice
from codegen.diff.facts import DictionaryFact, Fact, FlowsFact, MemberFact, MessageFact, TextFact, folded
from codegen.diff.findings import Evidence, Finding, group_by
from codegen.diff.spec_index import DICTIONARY, PAGE
from codegen.presence import SENDERS
from kalshi_fix_adapters.documents.mistakes import Location

# A run of capitals is a word.
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Yield the differences in messages, flows, texts and pages, and one finding per passage that could not
    be parsed.
    """
    yield from _new_messages(evidence)
    yield from _known_messages(evidence)
    gone = list(_gone_messages(evidence))
    yield from gone
    yield from _flows(evidence, {finding.address for finding in gone})
    yield from _texts(evidence)
    yield from _pages(evidence)
    yield from _edition(evidence)
    yield from evidence.unreadable()


def report(
    evidence: Evidence, what: str, facts: Fact | Iterable[Fact], message: model.Message, /, **values: Any
) -> Finding:
    """Return a finding about a message of the spec."""
    at = evidence.spec.location("messages", message.name)
    return evidence.report(f"message {what}", facts, at, message=message, **values)


def _new_messages(evidence: Evidence) -> Iterator[Finding]:
    """Yield findings for messages that the sources define, list or mention, but the spec does not have."""
    known = evidence.spec.messages
    entries: list[MessageFact | FlowsFact] = [*evidence.facts(MessageFact), *evidence.facts(FlowsFact)]
    names: dict[str, str] = {}
    for each in entries:
        name = re.sub(r"[^A-Za-z0-9]", "", each.name)
        # A table of messages contains the exact name; a heading may be shorter or longer.
        names[each.msg_type] = name if isinstance(each, FlowsFact) else names.get(each.msg_type, name)
    unknown = group_by((each for each in entries if each.msg_type not in known), lambda each: each.msg_type)
    found: dict[str, Sequence[Fact]] = {**unknown}
    # A mention is used only for a message without a definition or table row.
    for value, mentions in evidence.mentions("message", {*known, *found}).items():
        found[value] = [mentions[0]]
    rows = evidence.facts_by(MemberFact, lambda each: each.block)
    for msg_type, facts in found.items():
        name = names.get(msg_type) or msg_type
        details = f" with {len(rows[msg_type])} fields" if msg_type in rows else ""
        edits = advice.message(evidence, msg_type, name)
        values = {"name": name, "msg_type": msg_type, "details": details, "edits": edits}
        yield evidence.report("new message defined", facts, edits[-1].location, **values)


def _known_messages(evidence: Evidence) -> Iterator[Finding]:
    """Yield findings for messages of the spec whose name, category, product or page differs."""
    spec = evidence.spec
    for fact in evidence.facts(MessageFact):
        message = spec.messages.get(fact.msg_type)
        if message is None:
            continue
        if not _same_name(fact.name, message.name, exact=not evidence.is_pages):
            values = {"name": fact.name, "write": re.sub("[^A-Za-z0-9]", "", fact.name), "message": message}
            yield evidence.report("message name", fact, message.location, **values)
        if fact.admin is not None and fact.admin != message.admin:
            category = "admin" if fact.admin else "app"
            yield report(evidence, "category", fact, message, category=category)
        if evidence.is_pages and not spec.places(message, evidence.product):
            yield report(evidence, "product", fact, message, product=evidence.product)
        # Session messages are described on several pages.
        elif evidence.is_pages and not message.admin:
            yield from _moved_page(evidence, fact, message)


def _moved_page(evidence: Evidence, fact: MessageFact, message: model.Message) -> Iterator[Finding]:
    """Yield a finding if a message is not on the page that the spec states as its source."""
    own = evidence.spec.pages_of(message.source, evidence.product or "")
    sections = [each for each in evidence.facts(MessageFact) if each.msg_type == fact.msg_type]
    if own and own.isdisjoint(evidence.origin_of(each.location) for each in sections):
        here, was = evidence.origin_of(fact.location), " and ".join(sorted(own))
        yield report(evidence, "page", fact, message, group=f"moved from {was}", here=here, was=was)


def _same_name(heading: str, own: str, *, exact: bool) -> bool:
    """Return whether a heading may be a short form of a name: `Mass Cancel Request` for
    OrderMassCancelRequest.
    """
    if exact or folded(heading) == folded(own):
        return heading == own or not exact
    # The words of the heading must occur in order in the name; a single word such as Request would match too
    # many names.
    words, candidates = ([*map(str.lower, _WORD.findall(name))] for name in (heading, own))
    remaining = iter(candidates)
    return len(words) > 1 and all(any(word == other for other in remaining) for word in words)


def _gone_messages(evidence: Evidence) -> Iterator[Finding]:
    """Yield findings for messages of the spec that these sources should define, but do not."""
    spec = evidence.spec
    defined = {fact.msg_type for fact in evidence.facts(MessageFact)}
    # A dictionary of the session layer need not define application messages.
    layers = {spec.messages[each].admin for each in defined if each in spec.messages}
    for message in spec.dialect.messages:
        places = [place for product in evidence.products for place in spec.places(message, product)]
        if message.msg_type in defined or message.pedigree.is_removed or not places:
            continue
        if evidence.expects(message.source) if evidence.is_pages else message.admin in layers:
            expected_in = message.source if evidence.is_pages else ", ".join(spec.origins)
            participle = "described" if evidence.is_pages else "defined"
            group = f"family {message.family}"
            values = {"expected_in": expected_in, "group": group, "participle": participle}
            yield report(evidence, "absent", (), message, **values)


def _flows(evidence: Evidence, gone: Container[str]) -> Iterator[Finding]:
    """Compare flows with the pages' tables of messages, which must list every message of the product.
    Messages already reported as gone are skipped.
    """
    spec, listed = evidence.spec, evidence.facts(FlowsFact)
    sessions = {place.session for place in spec.places(None, evidence.product)}
    for fact in listed:
        message = spec.messages.get(fact.msg_type)
        if message is None:
            continue
        if folded(fact.name) != folded(message.name):
            yield report(evidence, "name", fact, message, name=fact.name, write=fact.name)
        # A row without a session type covers all session types of the product.
        theirs = {(s, sender) for name, sender in fact.flows for s in ({name} if name else sessions)}
        ours = {(place.session, place.sender) for place in spec.places(message, evidence.product)}
        if theirs != ours:
            texts = {"theirs": _flow_text(theirs, sessions), "ours": _flow_text(ours, sessions)}
            yield report(evidence, "flows", fact, message, **texts)
    names = {fact.msg_type for fact in listed}
    for message in spec.dialect.messages if listed else ():
        is_expected = message.name not in gone and spec.places(message, evidence.product)
        if is_expected and message.msg_type not in names:
            yield report(evidence, "not listed", listed[:1], message)


def _flow_text(flows: set[tuple[str, str]], sessions: set[str]) -> str:
    parts = []
    for sender in SENDERS:
        own = {session for session, who in flows if who == sender}
        if own:
            where = "" if own == sessions else f" on {', '.join(sorted(own))}"
            parts.append(f"from the {sender}{where}")
    return "; ".join(parts) or "nowhere"


def _texts(evidence: Evidence) -> Iterator[Finding]:
    """Compare values of Text and the codes they accompany."""
    spec = evidence.spec
    known = {(each.message.msg_type, each.value): each for each in spec.dialect.texts}
    stated = {(each.message, each.text): each for each in evidence.facts(TextFact)}
    for each in evidence.facts(TextFact):
        name = f"{spec.block_name(each.message)} {each.text}"
        own = known.get((each.message, each.text))
        meaning = _meaning(evidence, each) if each.field else None
        if own is None:
            details = f" with {each.field} {each.code}" if each.field else ""
            edit = advice.text(evidence, each, meaning)
            values = {"name": name, "details": details, "edits": [edit]}
            yield evidence.report("text new", each, edit.location, **values)
        elif meaning and meaning != (own.field.name if own.field else "", own.code.name if own.code else ""):
            mine = f"{own.field.name} {own.code.name}" if own.field and own.code else "nothing"
            stated_code = f"{each.field} {each.code}"
            values = {
                "name": name,
                "stated_code": stated_code,
                "in_spec": mine,
                "meaning": ": ".join(meaning),
            }
            yield evidence.report("text meaning", each, own.location, **values)
    for key, own in known.items() if evidence.is_pages else ():
        expected = evidence.expects(own.source) and not own.pedigree.is_removed
        if key not in stated and expected and spec.places(own.message, evidence.product):
            name = f"{own.message.name} {own.value}"
            yield evidence.report("text absent", (), own.location, expected_in=own.source, name=name)


def _meaning(evidence: Evidence, fact: TextFact) -> tuple[str, str]:
    """Return the field and the code that accompany a text, under the spec's names if it has them."""
    spec = evidence.spec
    tag = int(fact.field) if fact.field.isdigit() else spec.vocabulary.tag_of(fact.field)
    # Columns spell fields more freely than headings: `Execution Type` for ExecType, `OrdRejReason value`.
    if tag is None:
        name = {"executiontype": "exectype"}.get(folded(fact.field), folded(fact.field))
        tag = next((t for t, own in spec.vocabulary.fields.items() if name.startswith(folded(own))), None)
    codes = spec.vocabulary.codes.get(tag or 0, {})
    code = next((name for name in codes.values() if folded(name) == folded(fact.code)), fact.code)
    return (spec.fields[tag].name if tag in spec.fields else fact.field), code


def _pages(evidence: Evidence) -> Iterator[Finding]:
    """Yield findings for pages missing from the manifest, and for manifest pages missing from a complete
    folder.
    """
    spec = evidence.spec
    known = {origin.id: origin for origin in spec.origins.values() if origin.kind == PAGE}
    # A spec without page sources accepts any pages.
    if not known or not evidence.is_pages:
        return
    at = spec.manifest_location("sources")
    readings = {reading.page: reading for reading in evidence.readings}
    for page, reading in readings.items():
        if page not in known:
            first = Fact(Location(reading.file, 1))
            values = {"page": page, "name": page.rpartition("/")[2], "count": len(reading.facts)}
            yield evidence.report("page new", first, at, group="new pages", **values)
    for page, origin in known.items():
        here = origin.name in evidence.covered and spec.product_of_page(page) == evidence.product
        if page not in readings and here:
            yield evidence.report("page absent", (), origin.location, expected_in=origin.name, page=page)


def _edition(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding for each dictionary whose edition is not the one that the spec was compared with."""
    editions = {o.id: o for o in evidence.spec.origins.values() if o.kind == DICTIONARY}
    for fact in evidence.facts(DictionaryFact):
        if editions and fact.version not in editions:
            origin = next(iter(editions.values()))
            values = {"address": origin.name, "version": fact.version, "in_spec": ", ".join(editions)}
            yield evidence.report("source edition", fact, origin.location, **values)
