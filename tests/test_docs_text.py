"""The additions that the documentation build makes to rendered pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.docs_text import (
    UNLINKED_TERMS,
    Term,
    api_objects,
    broken_links,
    terms_of,
    undocumented,
    with_links,
    with_terms,
)

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
TERMS = terms_of(GLOSSARY)


def linked_terms(content: str, terms: dict[str, Term] = TERMS) -> list[tuple[str, str]]:
    """Return the linked words of a page and the entries to which they link."""
    page = with_terms(content, terms, "../glossary.html")
    links = re.findall(
        r'<a class="term" href="\.\./glossary\.html#(.*?)" title=".*?">(.*?)</a>', page, re.DOTALL
    )
    # The rest of the page is unchanged.
    assert re.sub(r'<a class="term".*?>(.*?)</a>', r"\1", page, flags=re.DOTALL) == content
    return [(word, anchor) for anchor, word in links]


def test_every_entry_of_the_glossary_is_a_linked_or_an_unlinked_term() -> None:
    headings = re.findall("^### (.*)", GLOSSARY, re.MULTILINE)
    names = {name for line in headings for name in re.sub(r" \(.*?\)", "", line).split(", ")}
    assert set(TERMS) == names - UNLINKED_TERMS
    assert names >= UNLINKED_TERMS


@pytest.mark.parametrize(
    ("content", "links"),
    [
        ("<p>On KalshiNR a ClOrdID.</p>", [("KalshiNR", "kalshinr"), ("ClOrdID", "clordid-11")]),
        ("<p>KalshiNR</p><p>KalshiNR</p>", [("KalshiNR", "kalshinr")]),
        ("<h2>KalshiNR</h2><p>KalshiNR</p>", [("KalshiNR", "kalshinr")]),
        ("<p><code>KalshiNR</code> <a href='x'>KalshiNR</a></p>", []),
        ("<pre><span>KalshiNR</span></pre>", []),
        ("<p>Drop\ncopy</p>", [("Drop\ncopy", "drop-copy")]),
        ("<p>execution reports</p>", [("execution reports", "execution-report")]),
        ("<p>OrigClOrdID, KalshiNRs, drop-copy.md, no-resend, AcceptQuote</p>", []),
        ("<p>Logon, then Logout</p>", [("Logon", "logon-35a-logout-355")]),  # this is one glossary entry
        ("<p>a logon of yours</p>", []),
        ('<p title="KalshiNR">The market has no gap in its session.</p>', []),
        (
            "<p>KalshiMD<wbr>KalshiRT</p>",
            [("KalshiMD", "kalshidc-kalshimd-kalshipt-kalshirfq"), ("KalshiRT", "kalshirt")],
        ),
    ],
)
def test_a_term_is_linked_at_its_first_occurrence_on_a_page(
    content: str, links: list[tuple[str, str]]
) -> None:
    assert linked_terms(content) == links


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "style.css").write_text("")
    (tmp_path / "index.html").write_text(
        '<h1 id="top"></h1><a href="sub/">x</a><a href="https://example.com">x</a>'
    )
    (tmp_path / "404.html").write_text('<a href="/nowhere.html">x</a>')
    (tmp_path / "sub" / "index.html").write_text(
        '<link href="../style.css?v=1"><a href="../index.html#top"></a><a href="#"></a><a href="mailto:me">'
    )
    assert [*broken_links(tmp_path)] == []
    (tmp_path / "sub" / "index.html").write_text(
        '<a href="../index.html#bottom"></a><a href="#own"></a><img src="gone.svg"><a href="../style.css">'
    )
    assert [*broken_links(tmp_path)] == [
        "sub/index.html: #own",
        "sub/index.html: ../index.html#bottom",
        "sub/index.html: gone.svg",
    ]


def api_object(name: str, kind: str, text: str) -> str:
    """Return the HTML of a documented object, as on a page of the API reference."""
    return (
        f'<div class="doc doc-object doc-{kind}"><span class="doc doc-object-name">{name}</span>'
        f'<pre>x: int</pre><div class="doc doc-contents first">{text}</div></div>'
    )


def test_names_without_a_docstring_are_found() -> None:
    page = api_object(
        "Base", "class", '<p>Bases: <code>object</code></p>\n<p>A word.</p><div class="doc doc-children">'
    )
    page += api_object("silent", "attribute", "\n  ")
    page += api_object("Derived", "class", '<p>Bases: <code>Base</code></p>\n<div class="doc doc-children">')
    page += api_object("described", "attribute", "<p>A word.</p>")
    assert [*undocumented(page)] == ["silent", "Derived"]


def anchors(page: str) -> set[str]:
    """Return the anchors that the repository's website creates from the headings of a page."""
    without_code = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)", without_code, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    [*ROOT.glob("*.md"), *(ROOT / "spec").glob("*.md")],
    ids=lambda path: path.name,
)
def test_links_of_pages_outside_the_site_exist(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


API_PAGE = """# Things

## Orders

::: pack.trading.Order
    options:
      inherited_members: true

::: pack.trading.Fill

## Clients

::: pack.blocking.Client

::: pack.trio.Client

## Functions

::: pack.trading.revenue
"""


def test_classes_of_the_api_get_separate_pages_and_functions_do_not() -> None:
    found = api_objects(API_PAGE)
    assert [(item.section, item.name) for item in found] == [
        ("Orders", "Order"),
        ("Orders", "Fill"),
        ("Clients", "blocking.Client"),
        ("Clients", "trio.Client"),
    ]
    assert found[0].source == (
        "---\ntitle: Order\nsearch:\n  boost: 0.3\n---\n\n::: pack.trading.Order\n"
        "    options:\n      inherited_members: true\n      heading_level: 1\n"
    )
    page = with_links(API_PAGE, "trading", lambda path: f"about {path}")
    links = ("- [Order](trading/Order.md): about pack.trading.Order\n", "- [Fill](trading/Fill.md): about")
    assert "".join(links) in page
    assert re.findall("^::: (.*)", page, re.MULTILINE) == ["pack.trading.revenue"]
