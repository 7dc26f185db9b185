"""Hooks for `mkdocs build`.

They render diagrams as SVG images, link the first use of each glossary term on a page, append the entries of
CHANGELOG.md to the changelog page, add the version to every page, and write llms.txt, the list of pages for
language models. They also check links, docstrings and the search.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import griffe
import mmdr
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url

from tools.docs_text import (
    Term,
    api_objects,
    broken_links,
    terms_of,
    undocumented,
    with_breaks,
    with_links,
    with_terms,
)

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = "glossary.md"
VERSION = version("kalshi-fix-sansio")

FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WIDTH = re.compile(r'width="100%"(.*?)style="max-width: ?([\d.]+)px;?"')

EXTERNAL_RESOURCE = re.compile(
    r"<(?:script|img|iframe)[^>]+src=\"?https?:|<link[^>]+rel=\"?stylesheet[^>]+href=\"?https?:"
)
"""Matches the resources that a page would load from another host."""

FIRST_RESULTS = {
    "install": "index.html#install",
    "place order": "tutorial/orders.html",
    "glossary": "glossary.html",
    "ClOrdID": "reference/tags/11.html",
    "KalshiNR": "glossary.html#kalshinr",
    "drop copy": "drop-copy.html",
    "cancel": "tutorial/orders.html",
    "RFQ": "rfq.html",
    "prometheus": "how-to/metrics.html",
    "failover": "troubleshooting.html#failover-to-a-second-process",
    "systemd": "how-to/production.html#systemd",
    "docker": "troubleshooting.html#docker-containers-and-systemd",
    "pnl": "troubleshooting.html#profit-and-loss-pnl",
    "plot": "troubleshooting.html#plot-market-data",
    "cancel all orders": "troubleshooting.html#cancel-all-orders",
    "assistant": "how-to/assistants.html",
    "xdist": "troubleshooting.html#tests-in-parallel-with-pytest-xdist",
}
"""Search terms, each with the address that the search must list first."""

pages: list[tuple[str, str, str]] = []
"""Title, address and first paragraph of each page in the navigation."""

terms: dict[str, Term] = {}
"""The glossary terms that pages link."""


CLASS_PAGES = ("session", "trading", "clients")
"""Pages of the API reference whose classes have separate pages."""


def on_config(config: Any, **_: object) -> None:
    """Add the version to the footer of every page; list the pages of messages and classes in the
    navigation."""
    config.extra["release"] = VERSION
    docs = Path(config.docs_dir)
    messages = sorted(
        path.relative_to(docs).as_posix() for path in (docs / "reference/messages").glob("*.md")
    )
    subpages: dict[str, list[Any]] = {"reference/index.md": messages}
    for stem in CLASS_PAGES:
        objects = api_objects((docs / "api" / f"{stem}.md").read_text("utf-8"))
        subpages[f"api/{stem}.md"] = [
            {section: [{each.name: f"api/{stem}/{each.name}.md"} for each in group]}
            for section, group in groupby(objects, lambda each: each.section)
        ]
    config.nav = with_subpages(config.nav, subpages)


def with_subpages(nav: list[Any], subpages: dict[str, list[Any]]) -> list[Any]:
    """Return a navigation in which each key of `subpages` is a section: this page, then its subpages."""
    changed: list[Any] = []
    for entry in nav:
        [(title, target)] = entry.items() if isinstance(entry, dict) else [(None, entry)]
        if isinstance(target, list):
            changed.append({title: with_subpages(target, subpages)})
        elif target in subpages:
            changed.append({title: [target, *subpages[target]]})
        else:
            changed.append(entry)
    return changed


def on_files(files: Any, config: Any, **_: object) -> None:
    """Add a page for each class."""
    for stem in CLASS_PAGES:
        for each in api_objects((Path(config.docs_dir) / "api" / f"{stem}.md").read_text("utf-8")):
            files.append(File.generated(config, f"api/{stem}/{each.name}.md", content=each.source))


def on_nav(nav: Any, files: Any, **_: object) -> Any:
    """Show the reference's navigation on the pages of tags, which are too numerous to be listed in it."""
    reference = files.get_file_from_path("reference/tags.md").page.parent
    for file in files.documentation_pages():
        if file.src_uri.startswith("reference/tags/"):
            file.page.parent = reference
    return nav


@cache
def modules() -> griffe.ModulesCollection:
    """Read the packages, without importing them: an import may need an extra."""
    loader = griffe.GriffeLoader(search_paths=[ROOT / "src", ROOT / "adapters"])
    for package in ("kalshi_fix_sansio", "kalshi_fix_adapters"):
        loader.load(package)
    loader.resolve_aliases()
    return loader.modules_collection


def summary(path: str) -> str:
    """Return the first paragraph of a docstring, for a list of classes."""
    docstring = modules()[path].docstring
    return "" if docstring is None else " ".join(docstring.value.partition("\n\n")[0].split())


def on_pre_build(config: Any, **_: object) -> None:
    """Reset the state: `mkdocs serve` builds repeatedly in one process."""
    pages.clear()
    terms.clear()
    terms.update(terms_of((Path(config.docs_dir) / GLOSSARY).read_text("utf-8")))


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Prepare the Markdown of a page: append the changelog, link classes, record the page for llms.txt, and
    render the diagrams, so that the theme does not load a script from another host in the browser.
    """
    if page.file.src_uri.startswith("reference/tags/"):
        page.meta["search"] = {"boost": 0.5}  # other pages with the word in their title are listed first
    # The title of a page whose first line is a comment would be its file name.
    markdown = re.sub(r"\A<!--.*?-->\n", "", markdown)
    if page.file.src_uri == "changelog.md":
        changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
        return markdown + re.split("^(?=## )", changelog, maxsplit=1, flags=re.MULTILINE)[1]
    stem = page.file.src_uri.removeprefix("api/").removesuffix(".md")
    if stem in CLASS_PAGES:
        markdown = with_links(markdown, stem, summary)
    if page.file.src_uri.count("/") < 2:
        paragraph = re.search(r"^# .*\n\n(\w[^|\n]*(?:\n[^|\n]+)*)", markdown)
        if paragraph:
            pages.append((page.title, page.file.url, " ".join(paragraph[1].split())))
    return FENCE.sub(draw, markdown)


def on_page_content(content: str, page: Any, **_: object) -> str:
    """Link the terms of the glossary."""
    if page.file.src_uri == GLOSSARY or page.file.src_uri.startswith("api/"):
        return content
    glossary = get_relative_url(GLOSSARY.replace(".md", ".html"), page.file.url)
    return with_terms(content, terms, glossary)


def on_post_page(output: str, **_: object) -> str:
    """Allow line breaks in long names in tables; by now the search index has been built from the unbroken
    words.
    """
    return with_breaks(output)


def draw(fence: re.Match[str]) -> str:
    """Return a diagram as an SVG image, scaled to the page's width, but never below a readable size.

    The offset in the ids of the image keeps the ids of two diagrams on one page distinct.
    """
    svg = mmdr.render(fence[1]).svg().replace("merman", f"diagram-{fence.start()}")
    return f'<figure class="diagram">{" ".join(WIDTH.sub(shrink, svg, count=1).split())}</figure>'


def shrink(match: re.Match[str]) -> str:
    """Return attributes that set the size of an SVG image."""
    width = float(match[2])
    return f'{match[1]}style="width: {width:.0f}px; min-width: {0.6 * width:.0f}px"'


def on_post_build(config: Any, **_: object) -> None:
    """Write llms.txt in the order of the pages. Check links, docstrings and the search, and that no page
    loads resources from other hosts.
    """
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    lines += [f"- [{title}]({url}): {text}" for title, url, text in pages]
    site = Path(config.site_dir)
    (site / "llms.txt").write_text("\n".join(lines) + "\n", "utf-8")
    pages_with_external_resources = [
        path for path in site.rglob("*.html") if EXTERNAL_RESOURCE.search(path.read_text("utf-8"))
    ]
    if pages_with_external_resources:
        raise PluginError(f"{pages_with_external_resources[0]} loads a resource from another host")
    if broken := [*broken_links(site)]:
        raise PluginError("broken links:\n" + "\n".join(broken))
    for path in sorted((site / "api").rglob("*.html")):
        if missing := [*undocumented(path.read_text("utf-8"))]:
            raise PluginError(f"{path.name} has no docstring for {', '.join(missing)}")
    check_search(site)


def check_search(site: Path) -> None:
    """Run the browser's search code with node, if it is installed; raise PluginError if the first result of a
    search differs from the one in `FIRST_RESULTS`.
    """
    if (node := shutil.which("node")) is None:
        print("node is not installed: the results of the search were not checked")
        return
    command = [node, str(ROOT / "tools" / "search.mjs"), str(site), *FIRST_RESULTS]
    first_results = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    for (words, address), result in zip(FIRST_RESULTS.items(), first_results, strict=False):
        if result != address:
            raise PluginError(
                f'the search for "{words}" must list {address} first, but lists {result or "no page"}'
            )
