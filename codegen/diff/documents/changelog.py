"""Parse the venue's changelog: one page with an entry for each change to any of its APIs.

An entry is a component such as `<Update label="May 3, 2026" tags={["FIX"]} rss={{title: "…"}}>`. The manifest
contains the names of the component and its attributes. An entry has no number, so it is identified by its
date and title. `changelog.yaml` of the spec records how each entry about FIX was handled, with fingerprints
of its title and text instead of the text.
"""

from __future__ import annotations

import re

from codegen.diff.documents import headings, markdown
from codegen.diff.documents.inline import fingerprint, plain
from codegen.diff.facts import EntryFact, EntryForm, Fact, UnreadableFact, Vocabulary
from kalshi_fix_adapters.documents.mistakes import Location

# Possessive quantifiers, as in `markdown`, prevent backtracking.
_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*+)\"|'((?:[^'\\]|\\.)*+)'")
_TITLE = re.compile(r"\btitle\s*:\s*")
_TAG_DELIMITERS = re.compile(r"[\[\]{}\"'`,]")


def is_changelog(page: str, form: EntryForm) -> bool:
    """Return whether a page consists of changelog entries."""
    # A page that lists the versions of the FIX API has entries too, but they have neither tags nor a title
    # (see `pages`). The limit of 500 characters keeps the time linear for a page full of `<Update`.
    entry = rf"^<{form.component}\b[^>]{{0,500}}?\b(?:{form.tags}|{form.title})\s*="
    return bool(form.component) and re.search(entry, page, re.MULTILINE) is not None


def without_entries(page: str, form: EntryForm) -> str:
    """Return the page with its entries blanked, so that only the text around them is left."""
    # An entry without an end tag extends to the next one.
    begin = rf"^[ \t]*<{form.component}\b"
    entry_pattern = re.compile(rf"{begin}.*?(?:</{form.component}>|(?={begin}|\Z))", re.MULTILINE | re.DOTALL)
    return entry_pattern.sub(lambda entry: "\n" * entry[0].count("\n"), page)


def read(page: str, file: str, vocabulary: Vocabulary) -> list[Fact]:
    """Return all entries of the page, and the unreadable parts, such as entries in another form."""
    facts: list[Fact] = []
    unexpected: dict[str, list[int]] = {}
    form, lines = vocabulary.entry, page.splitlines()
    expected = (form.date, form.title, form.description, form.tags)
    opened: markdown.Component | None = None
    # An entry without an end tag extends to the next one, or to the end of the page.
    for block in (*markdown.blocks(page), markdown.End(len(lines) + 1, form.component)):
        match block:
            case markdown.UnparsableMarkup(line, what):
                facts.append(UnreadableFact(Location(file, line), what))
            # An entry spans the lines from its tag to its end, including nested components.
            case markdown.Component(name=form.component) | markdown.End(name=form.component):
                if opened is not None:
                    last = block.line if isinstance(block, markdown.End) else block.line - 1
                    content = "\n".join(lines[opened.line - 1 : last])
                    facts.append(_entry(opened, content, Location(file, opened.line), vocabulary))
                opened = block if isinstance(block, markdown.Component) else None
                for name in opened.attributes if opened else ():
                    if name not in expected:
                        line_numbers = unexpected.setdefault(
                            f"the attribute {name} of <{form.component}>", []
                        )
                        line_numbers.append(block.line)
            case markdown.Component(line, name) if opened is None:
                unexpected.setdefault(f"the component <{name}> outside of entries", []).append(line)
            case markdown.Heading(line, _, text) if opened is None and headings.date_in(text):
                unexpected.setdefault("a heading with a date outside of entries", []).append(line)
    for what, line_numbers in unexpected.items():
        times = "once" if len(line_numbers) == 1 else f"{len(line_numbers)} times"
        facts.append(UnreadableFact(Location(file, line_numbers[0]), f"{what}, {times}"))
    what = f"a changelog without an entry <{form.component} {form.date}=…>"
    return facts or [UnreadableFact(Location(file, 1), what)]


def _entry(block: markdown.Component, content: str, location: Location, vocabulary: Vocabulary) -> Fact:
    form = vocabulary.entry
    label, feed = block.attributes.get(form.date, ""), block.attributes.get(form.title, "")
    date = headings.date_in(plain(label))
    title_match = _TITLE.search(feed)
    # A title in the attribute for the feed replaces the one in the description.
    title = block.attributes.get(form.description, "")
    if title_match is not None:
        string = _STRING.search(feed, title_match.end())
        title = re.sub(r"\\(.)", r"\1", string[1] or string[2] or "") if string else ""
    if not date or not title:
        return UnreadableFact(
            location, f"an entry of the changelog without {'a title' if date else 'a date'}"
        )
    tags = tuple(filter(None, map(str.strip, _TAG_DELIMITERS.split(block.attributes.get(form.tags, "")))))
    text = plain(content)
    tagged = any(form.about in re.findall("[A-Z]+", tag.upper()) for tag in tags)
    about = (
        tagged
        or re.search(rf"\b{form.about}\b", text)
        or vocabulary.name_pattern.search(text)
        or vocabulary.mentions_limit(text)
    )
    # For display: the text of the entry without its start and end tags.
    displayed = plain(content.partition(">\n")[2].replace(f"</{form.component}>", ""))
    # The fingerprint omits the label, so that an entry whose date is corrected remains the same entry.
    fingerprints = _fingerprint(title), _fingerprint(content.replace(label, "", 1))
    return EntryFact(location, date, title, tags, *fingerprints, bool(about), displayed)


def _fingerprint(words: str) -> str:
    """Return a fingerprint that does not depend on line breaks."""
    return fingerprint(" ".join(words.split()))
