"""The documents of the invented dialect `pier` as its venue publishes them, and a later version of them."""

from __future__ import annotations

import yaml

from codegen.export import dictionary
from codegen.read.resolve import load_dialect
from tests.codegen.diff.pier_dialect import PAGES, SPEC
from tests.codegen.diff.test_fetch import Site

REVISIONS = yaml.safe_load((SPEC.parent / "revisions.yaml").read_text(encoding="utf-8"))
DRAUGHT = next(revision for revision in REVISIONS if revision["name"] == "a new tag in a message")


def documents() -> dict[str, str]:
    """Return the documents that agree with the spec, by path."""
    found = {page.relative_to(PAGES).as_posix(): page.read_text("utf-8") for page in PAGES.rglob("*.md")}
    return found | {"fix/pier.xml": dictionary.render(load_dialect(SPEC), "freight")["FIX50SP2.xml"]}


def revised() -> dict[str, str]:
    """Return the documents with a new field and a changed sentence."""
    files = documents()
    names = {"FIX50SP2.xml": "fix/pier.xml"}
    for item in (*DRAUGHT["pages"], *DRAUGHT["dictionary"]):
        before, after, name = (
            item.get("before", ""),
            item.get("after", ""),
            names.get(item["file"], item["file"]),
        )
        assert files[name].count(before + after) == 1
        files[name] = files[name].replace(before + after, after + item["add"] + before)
    assert "Tides are reported on" in files["pier/tides.md"]
    files["pier/tides.md"] = files["pier/tides.md"].replace("Tides are reported on", "Tides are announced on")
    return files


def publish(site: Site, files: dict[str, str]) -> None:
    """Serve these documents, and an index of the pages."""
    links = [f"- [page]({site.url}/{name})" for name in files if name.endswith(".md")]
    site.put("/llms.txt", "\n".join(links))
    for name, text in files.items():
        site.put(f"/{name}", text)
