"""Changes to the venue's documents that `diff` once missed, because a source was not read or changed text was
not reported.

Each row changes the site of the fictional pier venue. The test then fetches the site and compares it with
the spec, as the daily workflow does.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.codegen.command import run
from tests.codegen.diff.pier_dialect import Scratch
from tests.codegen.diff.test_fetch import Site

GUIDES = {
    "berths": "# Berths\n\nA berth is held for two days.\n",
    "rates": "# Rates\n\n| Tier | Ships |\n| --- | --- |\n| Basic | 10 |\n| Prime | 40 |\n",
    "locks": "# Locks\n\n<div style={{width: '100%'}}>\n  <table style={{width: '100%'}}>\n    <thead>\n"
    "      <tr><th style={{color: 'red'}}>Lock</th><th>Metres</th></tr>\n    </thead>\n"
    "    <tbody>\n      <tr><td>North</td><td>80</td></tr>\n    </tbody>\n  </table>\n</div>\n",
    "storms": "# Storms\n\n* Ships leave the pier.\n",
}
NOTE = "<Note>\n  It may take an hour.\n</Note>\n\n"


def entry(date: str, title: str, text: str, tags: str = '["REST"]') -> str:
    return (
        f'<Update\n  label="{date}"\n  tags={{{tags}}}\n  rss={{{{title: "{title}"}}}}\n>\n'
        f"  {text}\n</Update>\n\n"
    )


NEWS = "# News\n\n" + "".join(
    (
        entry("May 20, 2024", "Pier FIX v1.1.0: HoldHours", "Added HoldHours.", '["FIX"]'),
        entry("May 3, 2024", "Longer pier", "The pier is longer.", '["FIX"]'),
        entry("May 2, 2024", "New web page", "It is blue."),
        entry("May 1, 2024", "First", "The first entry.", '["FIX"]'),
    )
)
LIMITS = """\
limits:
  tug_fee: {value: 5, unit: tokens, source: news, doc: "Price of a tug."}
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """Return a dialect with four guides and a changelog, all of which are reviewed."""
    scratch = Scratch(tmp_path_factory.mktemp("base"))
    listed = "".join(f"  {name}: page guides/{name}\n" for name in GUIDES)
    manifest = scratch.spec / "manifest.yaml"
    scratch.edit(manifest, "  dictionary 2.0:", f"{listed}  news: changelog news\n  dictionary 2.0:")
    (scratch.spec / "limits.yaml").write_text(LIMITS, encoding="utf-8")
    (scratch.pages / "guides").mkdir()
    for name, text in GUIDES.items():
        (scratch.pages / f"guides/{name}.md").write_text(text, encoding="utf-8")
    (scratch.pages / "news.md").write_text(NEWS, encoding="utf-8")
    scratch.edit(scratch.pages / "pier/tides.md", "## Tide Report", f"{NOTE}## Tide Report")
    scratch.edit(scratch.pages / "pier/bookings.md", "## Booking Report", f"{NOTE}## Booking Report")
    found = [item.edits[0].text for item in scratch.diff(scratch.pages) if item.element == "entry"]
    lines = [item.split("`")[1].replace('"…"', '"It is in the spec."') for item in found]
    (scratch.spec / "changelog.yaml").write_text("entries:\n" + "".join(f"  {line}\n" for line in lines))
    with Site(scratch.pages) as site:
        result = compare(scratch, site, scratch.folder / "first", "--reviewed")
    assert result.exit_code == 0, result.stdout
    return scratch


def compare(scratch: Scratch, site: Site, out: Path, *options: str) -> Result:
    """Fetch the pages that the site lists, and compare them and the dictionary with the spec."""
    fetched = run("--spec", scratch.spec, "fetch", "--index", f"{site.url}/llms.txt", "--out", out)
    assert fetched.exit_code == 0, fetched.stderr
    arguments = ("--product", "freight", *options, out, scratch.dictionary)
    return run("--spec", scratch.spec, "diff", *arguments)


Change = Callable[[Path], None]


def edit(page: str, old: str, new: str) -> Change:
    def change(pages: Path) -> None:
        path = pages / page
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


def remove(*names: str) -> Change:
    def change(pages: Path) -> None:
        for name in names:
            shutil.rmtree(pages / name) if (pages / name).is_dir() else (pages / name).unlink()

    return change


def rename_only_folder(pages: Path) -> None:
    (pages / "pier-tours").rename(pages / "pier-trips")


def rename_folder(pages: Path) -> None:
    rename_only_folder(pages)
    for path in (pages / "pier-trips").iterdir():
        text = path.read_text(encoding="utf-8").replace("pier-tours", "pier-trips")
        path.write_text(text, encoding="utf-8")


def add_product(pages: Path) -> None:
    (pages / "pier-cruises").mkdir()
    (pages / "pier-cruises/orders.md").write_text("# Orders of cruises\n", encoding="utf-8")


def move_note(page: str, before: str) -> Change:
    def change(pages: Path) -> None:
        edit(page, NOTE, "")(pages)
        edit(page, before, NOTE + before)(pages)

    return change


def news(old: str, new: str) -> Change:
    return edit("news.md", old, new)


def new_entry(text: str, tags: str = '["REST"]', title: str = "Next") -> Change:
    return news("# News\n\n", "# News\n\n" + entry("June 1, 2024", title, text, tags))


ROWS: dict[str, tuple[Change, str]] = {
    "a folder is renamed": (rename_folder, "pier-trips: a folder that belongs to no product of the spec"),
    "a folder is renamed, but not the addresses of its pages": (
        rename_only_folder,
        "pier-trips: a folder that belongs to no product of the spec; pages in it: 2",
    ),
    "the index lacks a guide": (remove("guides/rates.md"), "rates (guide guides/rates) was not read"),
    "the index lacks a folder": (
        remove("pier-tours"),
        "tours bookings (page pier-tours/bookings) was not read",
    ),
    "the index lacks the changelog": (remove("news.md"), "news (changelog news) was not read"),
    "the index has a new product": (
        add_product,
        "pier-cruises: a folder that belongs to no product of the spec",
    ),
    "a guide's sentence": (edit("guides/berths.md", "two days", "three days"), "held for three days"),
    "a guide's table": (edit("guides/rates.md", "| 40 |", "| 50 |"), "Prime | 50"),
    "a guide's table in HTML": (edit("guides/locks.md", ">80<", ">90<"), "North | 90"),
    "a guide's item": (edit("guides/storms.md", "* Ships leave", "* Ships may leave"), "Ships may leave"),
    "a note moves to the next message": (move_note("pier/tides.md", "| 9020 |"), "may take an hour"),
    "a note moves to the page": (move_note("pier/tides.md", "## Tide Request"), "may take an hour"),
    "a note moves to a section": (move_note("pier/bookings.md", "### "), "may take an hour"),
    "the component is renamed": (
        news("Update", "Change"),
        "the component <Change> outside of entries, 4 times",
    ),
    "an attribute is renamed": (news("tags=", "kinds="), "the attribute kinds of <Update>, 4 times"),
    "an attribute is dropped": (news("rss=", "feed="), "entry of the changelog without a title"),
    "headings in place of entries": (news(NEWS, "# News\n\n## May 20, 2024\n\nNo."), "a heading with a date"),
    "text outside of entries": (news("# News\n", "# News\n\nFog tomorrow.\n"), "Fog tomorrow."),
    "no date": (news("May 3, 2024", "In May"), "an entry of the changelog without a date"),
    "a tag in lower case": (new_entry("Ships.", '["fix"]'), "changelog of 2024-06-01 [fix]: Next"),
    "tags as one string": (news('{["FIX"]}', '"FIX"'), "changed text of: First"),
    "a message type": (new_entry("More in 35=T2."), "More in 35=T2."),
    "a message": (new_entry("The tide report is longer: Tide Report."), "changelog of 2024-06-01"),
    "a session type": (new_entry("More on PierTD."), "changelog of 2024-06-01"),
    "a port": (new_entry("Connect to 7002."), "changelog of 2024-06-01"),
    "a limit": (new_entry("The fee for tugs is 6 tokens."), "The fee for tugs is 6 tokens."),
    "a version's entry": (news("Added HoldHours", "Changed HoldHours"), "changed text of: Pier FIX v1.1.0"),
    "a moved entry": (news("May 3, 2024", "May 4, 2024"), "moved from 2024-05-03: Longer pier"),
}


@pytest.mark.parametrize(("change", "expected"), ROWS.values(), ids=ROWS)
def test_a_change_is_reported(base: Scratch, tmp_path: Path, change: Change, expected: str) -> None:
    pages = tmp_path / "pages"
    shutil.copytree(base.pages, pages)
    change(pages)
    with Site(pages) as site:
        result = compare(base, site, tmp_path / "out")
    assert result.exit_code == 1
    assert expected in result.stdout


def test_no_work_remains_without_a_change(base: Scratch, tmp_path: Path) -> None:
    with Site(base.pages) as site:
        result = compare(base, site, tmp_path / "out")
    assert result.exit_code == 0, result.stdout
    assert result.stdout.endswith("; nothing left to do.\n")
