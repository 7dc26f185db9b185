"""Functions that process the text of the documentation's pages; they do not depend on mkdocs."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag

TAG = re.compile(r"(<[^>]*>)")
ENTRY = re.compile(r"^### (.*)\n\n((?:.+\n?)+)", re.MULTILINE)
API = re.compile(r"^::: (\S+)\n((?: {4}.*\n)*)", re.MULTILINE)
UNLINKED_ELEMENTS = frozenset(
    ["a", "abbr", "button", "code", "dt", "figure", "label", "pre", "script", "style", "svg"]
    + [f"h{level}" for level in range(1, 7)]
)
"""Elements in which terms are not linked."""
UNLINKED_TERMS = frozenset(
    [
        "FIX",
        "book",
        "combination",
        "level",
        "maker",
        "taker",
        "cents",
        "contract",
        "dollars",
        "event",
        "fill",
        "gap",
        "market",
        "no",
        "quote",
        "session",
        "tag",
        "yes",
    ]
)
"""Glossary terms that are not linked: they are too common, or pages also use them in an everyday sense."""


class Term(NamedTuple):
    """A glossary term."""

    anchor: str
    meaning: str
    """The first sentence of its definition, without markup."""


def anchor_of(heading: str) -> str:
    """Return the id of a heading, such as clordid-11 for "ClOrdID (11)"."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def names_of(heading: str) -> list[str]:
    """Return the terms that a glossary heading defines: "Logon (35=A), Logout (35=5)" defines two."""
    return re.sub(r" \(.*?\)", "", heading).split(", ")


def terms_of(glossary: str) -> dict[str, Term]:
    """Return the terms to link, from the glossary's Markdown."""
    terms = {}
    for heading, definition in ENTRY.findall(glossary):
        without_links = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", " ".join(definition.split()))
        plain = re.sub("[*`]", "", without_links)
        meaning = re.split(r"(?<=\.) (?=[A-Z])", plain)[0]
        for name in names_of(heading):
            if name not in UNLINKED_TERMS:
                terms[name] = Term(anchor_of(heading), meaning)
    return terms


def with_terms(content: str, terms: dict[str, Term], glossary: str) -> str:
    """Link the first use of each term in a page's HTML to the glossary, whose address is `glossary`."""
    if not terms:
        return content
    # Terms that are not names may begin a sentence, and may be plural.
    patterns = {each: r"\s+".join(map(re.escape, each.split())) for each in terms}
    patterns |= {each: f"(?i:{patterns[each]})s?" for each in terms if each.islower()}
    longest_first = sorted(patterns, key=len, reverse=True)
    pattern = re.compile(
        rf"(?<![\w.-])(?:{'|'.join(f'({patterns[each]})' for each in longest_first)})(?![\w-])"
    )
    unlinked = set(terms)

    def link(match: re.Match[str]) -> str:
        name = longest_first[(match.lastindex or 1) - 1]
        if name not in unlinked:
            return match[0]
        # Each entry is linked once, by the first of its names.
        unlinked.difference_update(each for each, term in terms.items() if term.anchor == terms[name].anchor)
        title = html.escape(terms[name].meaning)
        return f'<a class="term" href="{glossary}#{terms[name].anchor}" title="{title}">{match[0]}</a>'

    parts, unlinked_depth = [], 0
    for part in TAG.split(content):
        tag = re.match(r"<(/?)(\w+)", part)
        if tag and tag[2] in UNLINKED_ELEMENTS and not part.endswith("/>"):
            unlinked_depth += -1 if tag[1] else 1
        parts.append(pattern.sub(link, part) if not tag and not unlinked_depth else part)
    return "".join(parts)


def with_breaks(page: str) -> str:
    """Allow line breaks between the parts of long names in tables, in a page's HTML."""
    return re.sub(
        r"<t[dh][ >].*?</t[dh]>", lambda cell: TAG.sub(r"\1", break_cell(cell[0])), page, flags=re.DOTALL
    )


def break_cell(cell: str) -> str:
    """Return a cell with line breaks allowed between the parts of long words."""
    return "".join(
        part if part.startswith("<") else re.sub(r"[\w.(=/;:|'-]{9,}", break_word, part)
        for part in TAG.split(cell)
    )


def break_word(word: re.Match[str]) -> str:
    """Return a long word with line breaks allowed before each part."""
    return re.sub(r"(?<=[a-z\d])(?=[A-Z][a-z])|(?<=[_.(=/:|])(?=\w)", "<wbr>", word[0])


class Links(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, page: str) -> None:
        """Parse a page."""
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the link target of an element, and its id."""
        for name, value in attrs:
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value or "")
            elif name in {"href", "src"} and value and not re.match(r"[a-z]+:|//", value):
                self.links.add(value)


def broken_links(site: Path) -> Iterable[str]:
    """Yield every link of the built site to a missing page, file or anchor."""
    pages = {path: Links(path.read_text("utf-8")) for path in site.rglob("*.html")}
    for path, page in sorted(pages.items()):
        for link in sorted(page.links):
            if (
                path.name == "404.html"
            ):  # its links begin at the host's root, because it is shown at any address
                continue
            address, anchor = urldefrag(link)
            target = (path.parent / unquote(address.partition("?")[0])).resolve() if address else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists() or (target in pages and unquote(anchor) not in pages[target].anchors):
                yield f"{path.relative_to(site)}: {link}"


class ApiObject(NamedTuple):
    """An object of the API reference with a separate page."""

    section: str
    name: str
    path: str
    """Its dotted path."""
    options: str
    """The indented lines below its directive, for mkdocstrings."""

    @property
    def source(self) -> str:
        """The Markdown of its page; the search lists the guides first."""
        options = self.options or "    options:\n"
        head = f"---\ntitle: {self.name}\nsearch:\n  boost: 0.3\n---\n\n"
        return f"{head}::: {self.path}\n{options}      heading_level: 1\n"


def api_objects(markdown: str) -> list[ApiObject]:
    """Return the objects of a page of the API reference that have separate pages: all that are not in a
    section whose heading begins with Functions. If several have the same name, their names include the
    package.
    """
    objects = []
    for section in re.split(r"^## ", markdown, flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        if not heading.startswith("Functions"):
            objects += [(heading, *each) for each in API.findall(section)]
    names = Counter(path.rpartition(".")[2] for _, path, _ in objects)
    return [
        ApiObject(section, name if names[name] == 1 else f"{path.split('.')[1]}.{name}", path, options)
        for section, path, options in objects
        for name in [path.rpartition(".")[2]]
    ]


def with_links(markdown: str, folder: str, summary: Callable[[str], str]) -> str:
    """Replace each object that has a separate page with a link; `summary` returns its description."""
    for each in api_objects(markdown):
        link = f"- [{each.name}]({folder}/{each.name}.md): {summary(each.path)}\n"
        markdown = markdown.replace(f"::: {each.path}\n{each.options}", link, 1)
    return re.sub(r"^(- .*\n)\n(?=- )", r"\1", markdown, flags=re.MULTILINE)


def undocumented(page: str) -> Iterable[str]:
    """Yield the public names without a docstring on a page of the API, given as HTML."""
    objects = re.split(r'<div class="doc doc-object doc-\w+">', page)[1:]
    for each in objects:
        contents = re.search(
            r'<div class="doc doc-contents[^"]*">(.*?)(?=<div class="doc doc-children"|$)', each, re.DOTALL
        )
        if contents is None or not re.sub(r"Bases:.*|\s", "", TAG.sub("", contents[1])):
            yield html.unescape("".join(re.findall(r'<span class="doc doc-object-name[^"]*">([^<]*)', each)))
