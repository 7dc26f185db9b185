"""Parser of the venue's changelog: one page with an entry for each change of any of its APIs.

An entry is `<Update label="May 3, 2026" tags={["FIX"]} rss={{title: "…"}}>`. It has no number, so it is
identified by its date and title. `changelog.yaml` of the spec has a disposition for each entry about FIX; it
does not contain the text, only fingerprints of title and text.
"""

from __future__ import annotations

import re

from codegen.diff.documents import headings, markdown
from codegen.diff.documents.inline import fingerprint, plain
from codegen.diff.facts import EntryFact, Fact, Unread, Vocabulary
from kalshi_fix_adapters.documents.mistakes import Location

API = "FIX"
"""Tag of the relevant entries; untagged entries and those of other APIs count if they mention it."""

# Pages of FIX versions have <Update> too, but neither tags nor rss (see `pages`). The limit of 500 characters
# keeps a page full of `<Update` in linear time.
_UPDATE = re.compile(r"^<Update\b[^>]{0,500}?\b(?:tags|rss)\s*=", re.MULTILINE)
# Possessive, as in `markdown`: there is only one way to split the text.
_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*+)\"|'((?:[^'\\]|\\.)*+)'")
_TITLE = re.compile(r"\btitle\s*:\s*")
_MENTIONS_API = re.compile(rf"\b{API}\b")


def is_changelog(page: str) -> bool:
    """Return whether a page consists of changelog entries."""
    return _UPDATE.search(page) is not None


def read(page: str, file: str, vocabulary: Vocabulary) -> list[Fact]:
    """Return all entries of the page, and what could not be parsed."""
    found: list[Fact] = []
    lines = page.splitlines()
    opened: markdown.Component | None = None
    # An entry without an end tag extends to the next one, or to the end of the page.
    for block in (*markdown.blocks(page), markdown.End(len(lines) + 1, "Update")):
        match block:
            case markdown.Unparsable(line, what):
                found.append(Unread(Location(file, line), what))
            # An entry spans the lines from its tag to its end, including nested components.
            case markdown.Component(name="Update") | markdown.End(name="Update"):
                if opened is not None:
                    last = block.line if isinstance(block, markdown.End) else block.line - 1
                    content = "\n".join(lines[opened.line - 1 : last])
                    found.append(_entry(opened, content, Location(file, opened.line), vocabulary))
                opened = block if isinstance(block, markdown.Component) else None
    return found


def _entry(block: markdown.Component, content: str, location: Location, vocabulary: Vocabulary) -> Fact:
    label, rss = block.attributes.get("label", ""), block.attributes.get("rss", "")
    heading = headings.read(label, vocabulary)
    at = _TITLE.search(rss)
    # Title of the feed; a page without one has it in the description.
    title = next(iter(_strings(rss[at.end() :])), "") if at else block.attributes.get("description", "")
    if not heading.date or not title:
        return Unread(
            location, f"an entry of the changelog without {'a title' if heading.date else 'a date'}"
        )
    tags = tuple(_strings(block.attributes.get("tags", "")))
    about = API in tags or _MENTIONS_API.search(plain(content)) is not None
    version = headings.read(title, vocabulary).version
    return EntryFact(location, heading.date, title, tags, _print(title), _print(content), about, version)


def _strings(text: str) -> list[str]:
    """Return the string literals of a JavaScript expression."""
    return [re.sub(r"\\(.)", r"\1", each[1] or each[2] or "") for each in _STRING.finditer(text)]


def _print(words: str) -> str:
    """Return a fingerprint that does not depend on line breaks."""
    return fingerprint(" ".join(words.split()))
