"""The reference pages are complete and linked, and their examples run while they are rendered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codegen.errors import SpecError
from codegen.export.reference import examples, pages
from codegen.export.reference.examples import Example
from codegen.export.reference.history import history
from codegen.model import Dialect
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_sansio import decode_strict
from tests.codegen.harbour_spec import REPOSITORY

SPEC = REPOSITORY / "spec" / "kalshi"


@pytest.fixture(scope="module")
def executed_examples(kalshi: Dialect) -> dict[str, list[Example]]:
    return examples.run(examples.load(kalshi, SPEC))


@pytest.fixture(scope="module")
def rendered_pages(kalshi: Dialect, executed_examples: dict[str, list[Example]]) -> dict[str, str]:
    return pages.render(kalshi, executed_examples)


def rows(page: str) -> dict[str, list[str]]:
    """Return the table rows of a page by their first cell."""
    cells = [re.split(r"(?<!\\)\|", line.strip("| ")) for line in page.splitlines() if line.startswith("|")]
    return {row[0].strip(): [item.strip() for item in row[1:]] for row in cells}


def test_every_message_and_every_tag_has_a_page_and_every_link_resolves(
    kalshi: Dialect, rendered_pages: dict[str, str]
) -> None:
    assert {name for name in rendered_pages if name.startswith("tags/")} == {
        f"tags/{field.tag}.md" for field in kalshi.fields
    }
    assert sum(name.startswith("messages/") for name in rendered_pages) == len(kalshi.messages)
    for name, page in rendered_pages.items():
        for link in re.findall(r"\]\(([^)]+)\)", page):
            target = (Path("/") / name).parent / link
            assert target.resolve().relative_to("/").as_posix() in rendered_pages, (name, link)


def test_every_field_of_a_message_is_on_its_page_with_its_presence_by_product(
    kalshi: Dialect, rendered_pages: dict[str, str]
) -> None:
    for message in kalshi.messages:
        found = rows(rendered_pages[pages.message_path(message)])
        for member in message.members:
            assert str(member.field.tag) in found, (message.name, member.field.name)
    order = rows(rendered_pages["messages/new_order_single.md"])
    assert order["11"][1] == "yes"
    assert order["100"][1] == "prediction: no<br>margin: never"
    assert order["126"][1] == "depends"
    assert order["126"][2].endswith("Required when TimeInForce is GOOD_TILL_DATE.")
    assert "<br>`party_id`<br>" in order["448"][0]
    assert "dollars" in order["44"][0]
    quote = rows(rendered_pages["messages/quote.md"])
    assert quote["38"][1] == "depends"
    assert quote["38"][2].endswith("Not allowed from the client. Optional elsewhere.")


def test_the_page_of_a_tag_has_its_values_and_its_messages(rendered_pages: dict[str, str]) -> None:
    side = rows(rendered_pages["tags/54.md"])
    assert side["`1`"][:2] == ["Buy", "`Side.BUY`"]
    assert "[NewOrderSingle](../messages/new_order_single.md)" in side
    assert "never shown" in rendered_pages["tags/96.md"]
    assert "The length of RawData." in rendered_pages["tags/95.md"]
    assert "NoPartyIDs" in rendered_pages["tags/448.md"]


def test_sessions_and_hosts_are_listed_and_the_history_begins_with_the_latest_change(
    kalshi: Dialect, rendered_pages: dict[str, str]
) -> None:
    found = rows(rendered_pages["sessions.md"])
    for session in kalshi.session_types:
        assert found[session.name][:2] == [session.service, str(session.port)]
    assert all(endpoint.host in rendered_pages["sessions.md"] for endpoint in kalshi.endpoints)
    steps = history(kalshi)
    assert [step.date for step in steps] == sorted((step.date for step in steps), reverse=True)
    assert any("MDEntryDate (272) added." in step.lines for step in steps)


def test_the_library_sends_and_reads_the_examples(
    kalshi: Dialect, executed_examples: dict[str, list[Example]], rendered_pages: dict[str, str]
) -> None:
    for message in kalshi.messages:
        page = rendered_pages[pages.message_path(message)]
        for example in executed_examples[message.name]:
            assert (
                type(decode_strict(example.wire.replace("|", "\x01").encode("latin-1"))).__name__
                == message.name
            )
            assert example.source in page
            assert example.wire in page.replace("\n", "")


@pytest.mark.parametrize(
    ("before", "after", "mistake"),
    [
        ("  NewOrderSingle:", "  NewOrderSimple:", "there is no message `NewOrderSimple`; did you mean"),
        ("  Heartbeat:\n", "  Logout:\n", "a duplicate"),
        ("session: KalshiMD", "session: KalshiXX", "there is no session type `KalshiXX`"),
        (
            "        ClOrdID: order-1\n",
            "        ClOrdIDs: order-1\n",
            "NewOrderSingle has no field `ClOrdIDs`; did you",
        ),
        (
            "ExpireTime: 20260817-20",
            "ExpireTime: 2026-08-17 20",
            "is not a UTCTIMESTAMP; write it in wire format",
        ),
    ],
)
def test_a_mistake_in_an_example_is_reported_with_its_location(
    kalshi: Dialect, tmp_path: Path, before: str, after: str, mistake: str
) -> None:
    text = (SPEC / examples.FILE).read_text(encoding="utf-8")
    assert before in text
    (tmp_path / examples.FILE).write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(SpecError, match=re.escape(mistake)):
        examples.load(kalshi, tmp_path)


def test_a_message_without_an_example_is_reported(kalshi: Dialect, tmp_path: Path) -> None:
    (tmp_path / examples.FILE).write_text(
        "examples:\n  Heartbeat:\n    - {session: KalshiNR, sender: client, fields: {}}\n", encoding="utf-8"
    )
    with pytest.raises(SpecError, match="message `NewOrderSingle` has no example; add one"):
        examples.load(kalshi, tmp_path)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("message = None", "AttributeError"),
        ("from kalshi_fix_sansio import TestRequest\nmessage = TestRequest()", "TypeError"),
        (
            (
                "from kalshi_fix_sansio import SecurityStatusRequest\n"
                "message = SecurityStatusRequest(subscription_request_type='1', symbol='X')"
            ),
            "SecurityStatusRequest",
        ),
    ],
)
def test_an_example_that_does_not_run_or_is_not_allowed_is_refused(source: str, fault: str) -> None:
    bad = Example("X", "margin", "KalshiNR", "client", source, Location("examples.yaml", 7))
    with pytest.raises(SpecError, match=rf"examples.yaml:7: the example of X fails: .*{fault}"):
        examples.run({"X": [bad]})
