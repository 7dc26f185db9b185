"""The facts read from a page: the forms of tables, lists, headings and components."""

from __future__ import annotations

import pytest

from codegen.diff.documents import pages
from codegen.diff.facts import MentionFact, UnreadableFact
from tests.codegen.diff.pier_dialect import vocabulary


def facts(text: str, *, mentions: bool = False) -> list[str]:
    """Return the facts of a page with their lines, as `--facts` prints them."""
    found = pages.read(text, "page.md", vocabulary())
    return [f"{f.location.line}: {f}" for f in found if mentions or not isinstance(f, MentionFact)]


def table(head: str, *rows: str) -> str:
    """Return a pipe table, including the line below its header."""
    columns = head.count("|") + 1
    return "\n".join([f"| {head} |", "|---" * columns + "|", *(f"| {row} |" for row in rows)])


B1 = "# Booking Request (35=B1)\n"
DESCRIBED = "Tag | Name | Description"


@pytest.mark.parametrize(
    ("head", "row", "expected"),
    [
        (
            "Tag | Name | Type | Required | Description",
            "9003 | Length | Decimal | Y | Metres",
            "9003 Length Decimal Y",
        ),
        ("Field | Tag | Data type | Req'd | Notes", "Length | 9003 | Qty | No | Metres", "9003 Length Qty N"),
        (
            "Required? | FIX tag # | Field name | Comment",
            "Conditional | `9003` | **Length** | x",
            "9003 Length C",
        ),
        (
            "Tag No. | Tag name | Format | Mandatory | Meaning",
            "9003 | Length | float | ✓ | x",
            "9003 Length float Y",
        ),
        ("Tag | Name | Presence", "9003 | `Length` | optional", "9003 Length N"),
        ("Tag | Name | Required", "9003 | Length | Yes, when it is long", "9003 Length C"),
        ("Tag | Name | Type | Default", "9005 | Deck | Int | 3", "9005 Deck Int default 3"),
        ("Name | Required | Description", "Length (9003) | Yes | Metres", "9003 Length Y"),
        ("Name | Required | Description", "Length | Yes | Metres", "9003 Length Y"),
        (DESCRIBED, "9001 | BookingID | An id, max 12 chars", "9001 BookingID at most 12 characters"),
        (DESCRIBED, "9005 | Deck | Number (1-7)", "9005 Deck limits 1..7"),
        (DESCRIBED, "9005 | Deck | **PierBK and PierTD only.**", "9005 Deck only on PierBK, PierTD"),
        (DESCRIBED, "9011 | LotName | One entry per lot in the `NoLots` group", "9011 LotName inside 9010"),
        (DESCRIBED, "9099 (new) | Sort* | A pipe: a \\| b", "9099 Sort"),
    ],
)
def test_a_row_of_a_table_of_fields_is_read(head: str, row: str, expected: str) -> None:
    assert facts(B1 + table(head, row)) == [
        "1: message B1 Booking Request",
        f"4: member B1 {expected}",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`1`=Take, `2`=Extend (longer), `3`=Leave.", "codes of 9004 in B1: 1=Take, 2=Extend, 3=Leave"),
        ("Supported values: `1 = Take`, `2 = Extend (longer)`", "codes of 9004 in B1: 1=Take, 2=Extend"),
        ("Supported value: `1 = Take`", "a code of 9004 in B1: 1=Take"),
        ("Take\\<1>, Extend\\<2>", "codes of 9004 in B1: 1=Take, 2=Extend"),
        ("Always `TAKE&lt;1&gt;`", "a code of 9004 in B1: 1=TAKE"),
        ("TAKE(1), EXTEND\\_IT(2), or LEAVE(3)", "codes of 9004 in B1: 1=TAKE, 2=EXTEND_IT, 3=LEAVE"),
        ("1 (TAKE) unless stated", "a code of 9004 in B1: 1=TAKE"),
        ("What to do (1=Take, 2=Extend)", "codes of 9004 in B1: 1=Take, 2=Extend"),
        ("`1` (take) or `2` (extend)", "codes of 9004 in B1: 1=take, 2=extend"),
        ("Take (1), Extend (2)", "codes of 9004 in B1: 1=Take, 2=Extend"),
        ('Either "take" or "leave"', "codes of 9004 in B1: take=, leave="),
        ("`take`, `extend`, or `leave`", "codes of 9004 in B1: take=, extend=, leave="),
        ("TAKE or LEAVE", "codes of 9004 in B1: TAKE=, LEAVE="),
    ],
)
def test_codes_in_a_description_are_read(text: str, expected: str) -> None:
    found = facts(B1 + table(DESCRIBED, f"9004 | BookingKind | {text}"))
    assert found[1:] == ["4: member B1 9004 BookingKind", f"4: {expected}"]


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (9004, "As in `Berth<9002>`, see `TideReport<35=T2>` and `35=T2`"),
        (9004, "Omit it or use `-1`; `9003=2` and `9002=Berth` go with it"),
        (9002, "Present on REFUSED(R)"),
        (9002, "Session, e.g. `PierBK`, `PierTD`"),
        (9030, "Reports Taken\\<T> instead of Refused\\<R>"),
        (9006, "Expires as Over\\<O>, `1`=Take"),
        (108, "Seconds between a Heartbeat<0> and the next Heartbeat\\<0>"),
    ],
)
def test_values_that_are_not_codes_of_the_field_are_ignored(tag: int, text: str) -> None:
    """Each text refers to a field, a message or a code of another field, or describes a field whose type has
    no codes."""
    found = facts(B1 + table(DESCRIBED, f"{tag} | X | {text}"))
    assert [item for item in found if "code" in item] == []


@pytest.mark.parametrize(
    ("heading", "list_", "expected"),
    [
        ("Kinds (9004)", "* **Take\\<1>**: books\n* **Extend\\<2>**", ["3: codes of 9004: 1=Take, 2=Extend"]),
        ("Kinds (tag 9004)", "- `1`=Take: books\n- `2`=Extend", ["3: codes of 9004: 1=Take, 2=Extend"]),
        ("BookingKind", "1. `1` - Take\n2. `2` - Extend", ["3: codes of 9004: 1=Take, 2=Extend"]),
        ("Kinds (9004)", "* Take (1)\n* Extend (2)\n  * longer", ["3: codes of 9004: 1=Take, 2=Extend"]),
        (
            "Kinds (9004)",
            "* **Take\\<1>**\n* Whatever else",
            [
                "3: codes of 9004: 1=Take",
                "4: could not read: a list item for 9004 has no value",
            ],
        ),
        ("Sizes (9003)", "* Whatever else", []),
        ("Since then (2024)", "* Whatever else", []),
    ],
)
def test_a_list_of_codes_is_read(heading: str, list_: str, expected: list[str]) -> None:
    assert facts(f"## {heading}\n\n{list_}\n") == expected


def test_a_paragraph_can_announce_codes() -> None:
    text = (
        "# Kinds\n\nValues of BookingKind (9004):\n\n* `1`=Take\n* `2`=Extend\n\nMore (9004):\n\n* whatever\n"
    )
    assert facts(text) == ["5: codes of 9004: 1=Take, 2=Extend"]


@pytest.mark.parametrize("head", ["Code | Reason | Description", "Value | Meaning", "Enum | Name"])
def test_a_table_of_codes_is_read(head: str) -> None:
    rest = " | x" * (head.count("|") - 1)
    text = "## Kinds (9004)\n" + table(
        head, f"1 | Take{rest}", f"2 (default) | Extend{rest}", f"and so on | x{rest}"
    )
    assert facts(text) == [
        "6: could not read: `and so on` is not a value of 9004",
        "4: codes of 9004: 1=Take, 2=Extend",
    ]


def test_values_in_a_separate_column_are_read() -> None:
    text = B1 + table(
        "Tag | Name | Type/Values",
        "9004 | BookingKind | Take\\<1>, Leave\\<3>",
        "9005 | Deck | Integer",
        "9002 | Berth | ?",
    )
    assert facts(text)[1:] == [
        "4: member B1 9004 BookingKind",
        "4: codes of 9004 in B1: 1=Take, 3=Leave",
        "5: member B1 9005 Deck Integer",
        "6: could not read: `?` is neither a type nor a list of values",
        "6: member B1 9002 Berth",
    ]


def test_a_subheading_without_a_message_belongs_to_the_heading_above_it() -> None:
    row = table("Tag | Name", "9002 | Berth")
    headings = ("## Report (35=B2)\n\n### Berths", "### Request (35=B1)", "### Again", "## Other")
    text = "".join(f"{heading}\n\n{row}\n\n" for heading in headings)
    found = [fact.partition(": ")[2] for fact in facts(text)]
    assert found == [
        "message B2 Report",
        "member B2 9002 Berth",
        "message B1 Request",
        "member B1 9002 Berth",
        "member B2 9002 Berth",
        "field 9002 Berth",
    ]


def test_a_message_may_be_identified_only_by_its_name() -> None:
    row = table("Tag | Name", "9002 | Berth")
    assert facts(f"## Booking Request\n\n{row}\n\n## Logon flags\n\n{row}\n") == [
        "5: member B1 9002 Berth",
        "11: field 9002 Berth mentioned with A",
    ]


def test_tables_of_header_and_trailer_are_read() -> None:
    text = (
        "## Standard Header\n\n"
        + table("Tag | Name", "8 | BeginString")
        + "\n\n## Trailer\n\n"
        + table("Tag | Name", "10 | CheckSum")
    )
    assert facts(text) == ["5: member header 8 BeginString", "11: member trailer 10 CheckSum"]


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("### Required Fields", "Y"),
        ("### Optional Fields", "O"),
        ("### Ship → Exchange", "from the client"),
        ("### Exchange -> Ship (a note)", "from the venue"),
        ("### Leave (Kind=3)", "when Kind=3"),
        ("**Inside the `9010=NoLots` group**", "inside 9010"),
        ("#### Lots (NoLots)", "inside 9010"),
        ("**Message body**", ""),
    ],
)
def test_a_subheading_applies_to_its_rows(heading: str, expected: str) -> None:
    found = facts(f"{B1}\n{heading}\n\n" + table("Tag | Name", "9012 | LotWeight"))
    assert found[-1] == f"7: member B1 9012 LotWeight {expected}".rstrip()


def test_markers_of_groups_are_read() -> None:
    text = B1 + table(
        "Tag | Name | Type | Description",
        "9010 | NoLots | Integer | Number of lots",
        "9011 | LotName | String | Repeating group field. Name",
        "→ 9012 | LotWeight | Decimal | Weight",
        "9013 | └ NoSeals | Integer | Number of seals",
        "9014 | → → SealNumber | String | On the seal",
        "9002 | Berth | String | The berth",
        "9100 | NoFlags | Integer | Repeating group of flags",
        "9101 | FlagName | String | Group member. Name",
    )
    assert [fact.partition("B1 ")[2] for fact in facts(text)[1:]] == [
        "9010 NoLots Integer",
        "9011 LotName String inside 9010",
        "9012 LotWeight Decimal inside 9010",
        "9013 NoSeals Integer inside 9010",
        "9014 SealNumber String inside 9013",
        "9002 Berth String",
        "9100 NoFlags Integer",
        "9101 FlagName String inside 9100",
    ]


def test_messages_and_their_directions_are_read() -> None:
    text = table(
        "MsgType | Name | Sessions | Direction",
        "A | Logon | All | Both",
        "B1 | BookingRequest | PierBK, PierTD | Client -> Server",
        "B2 | BookingReport | PierBK/TD | Exchange → Ship",
        "T1 | TideRequest | PierBK, PierTD | PierBK: Client -> Server; PierTD: Server -> Client",
        "T2 | TideReport | nowhere | Both",
        "T3 | TideAlarm | PierTD | sideways",
        "? | TideAlarm | PierTD | Both",
    )
    assert facts(text) == [
        "3: flows of A Logon: client on any; venue on any",
        "4: flows of B1 BookingRequest: client on PierBK; client on PierTD",
        "5: flows of B2 BookingReport: venue on PierBK; venue on PierTD",
        "6: flows of T1 TideRequest: client on PierBK; venue on PierTD",
        "7: could not read: `nowhere` names no session type",
        "8: could not read: `sideways` is not a direction",
        "9: could not read: `?` is not a MsgType",
    ]


def test_a_direction_may_name_the_sessions() -> None:
    text = table(
        "MsgType | Name | Direction", "2 | ResendRequest | Both (PierBK only)", "0 | Heartbeat | Both"
    )
    assert facts(text)[0] == "3: flows of 2 ResendRequest: client on PierBK; venue on PierBK"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Live\n\n**Tides Host:** `t.fix.pier.org`\n", ["3: host t.fix.pier.org for Tides in live"]),
        ("## Live\n\n* Tides host: t.fix.pier.org\n", ["3: host t.fix.pier.org for Tides in live"]),
        (
            table(
                "Environment | Tides Host | Port | TargetCompID", "Live | `t.fix.pier.org` | 7002 | PierTD"
            ),
            ["3: host t.fix.pier.org for tides in live", "3: session PierTD on port 7002 in live"],
        ),
        (
            "## Live\n\n" + table("Session | Endpoint | Port", "PierTD | t.fix.pier.org | 7002"),
            ["5: host t.fix.pier.org in live", "5: session PierTD on port 7002 in live"],
        ),
        (
            "## Live\n\n" + table("TargetCompID | Tides", "PierTD | t.fix.pier.org:7002"),
            ["5: host t.fix.pier.org for tides in live", "5: session PierTD on port 7002 in live"],
        ),
        (
            '<Tabs>\n<Tab title="Sandbox">\n'
            + table("TargetCompID | Port", "PierTD | 7002")
            + "\n</Tab>\n</Tabs>\n",
            ["5: session PierTD on port 7002 in sandbox"],
        ),
        (
            table("TargetCompID | Port", "PierTD | soon", "the tides | 7002"),
            [
                "3: could not read: `soon` is not a port",
                "4: could not read: `the tides` is not a TargetCompID",
            ],
        ),
    ],
)
def test_endpoints_are_read(text: str, expected: list[str]) -> None:
    found = [fact for fact in facts(text) if not fact.endswith("host t.fix.pier.org")]
    assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Version 1.2.0 (2024-09-01)\n", "1: version 1.2.0, dated 2024-09-01"),
        ("## v1.2.0 - September 1, 2024\n", "1: version 1.2.0, dated 2024-09-01"),
        ("## 1.2.0 (1st Sept 2024)\n", "1: version 1.2.0, dated 2024-09-01"),
        ("## Version 1.2.0\n", "1: version 1.2.0, undated"),
        ("# Changelog\n\n## Sep 1st, 2024\n", "3: version (none), dated 2024-09-01"),
        (
            '<Update label="1.2.0" description="2024-09-01">\nText\n</Update>\n',
            "1: version 1.2.0, dated 2024-09-01",
        ),
        ('<Update label="September 1, 2024">\nText\n</Update>\n', "1: version (none), dated 2024-09-01"),
    ],
)
def test_entries_of_the_changelog_are_read(text: str, expected: str) -> None:
    assert facts(text) == [expected]


def test_values_of_text_are_read() -> None:
    text = (
        "## Report (35=B2)\n\n### Texts (58)\n\n"
        '* **NO\\_BERTH** - maps to Answer "Refused"\n* `TOO_LONG`\n* or so\n\n'
        + table("Text (58) | Reason (9008)", "`NO_WAY` | Other", "a, b | Other")
    )
    assert facts(text)[1:] == [
        "5: text NO_BERTH in B2 with Answer Refused",
        "6: text TOO_LONG in B2",
        "7: could not read: a list item for Text has no value, or does not belong to exactly one message",
        "11: text NO_WAY in B2 with 9008 Other",
        "12: could not read: a table row for Text has no value, or does not belong to exactly one message",
    ]


def test_mentions_in_running_text_are_read() -> None:
    text = (
        "Tag 9099, `Speed` (9098), `Size<9097>` in (35=B9) on PierXX at `new-fix.pier.org`, not `9096`.\n\n"
        "```bash\nconnect old.fix.pier.org:7001 # docs at https://fix.pier.org/x\n```\n\nAgain tag 9099.\n"
    )
    assert facts(text, mentions=True) == [
        "1: mention of message B9",
        "1: mention of field 9099",
        "1: mention of field 9098 Speed",
        "1: mention of field 9097 Size",
        "1: mention of session PierXX",
        "1: host new-fix.pier.org",
        "4: host old.fix.pier.org",
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (B1 + table("Tag | Name", "9001-9003 | Ids"), 4, "`9001-9003` is not a tag"),
        (
            B1 + table("Tag | Name | Required", "9001 | BookingID | perhaps"),
            4,
            "`perhaps` does not state whether BookingID is required",
        ),
        (
            B1 + table("Tag | Name | Type", "9001 | BookingID | Blob"),
            4,
            "`Blob` is not a known type",
        ),
        (B1 + table("Tag | Name", "9001 | BookingID | more"), 4, "a row has 3 cells, the table 2"),
        (B1 + table("Name | Required", "Speed | Y"), 4, "`Speed` is not a tag"),
        (
            "# Both (35=B1, 35=B2)\n" + table("Tag | Name", "1 | A"),
            2,
            "the heading above a table of fields names B1 and B2 at once",
        ),
        ("| Tag | Name |\n| 1 | A |\n", 1, "a table row without a proper header"),
        ("```fix\n8=FIX\n", 1, "a code block has no end"),
        (
            "<table>\n<tr></tr>\n</table>\n",
            1,
            "an HTML table without rows, or with cells that span several rows or columns",
        ),
        (
            "<table>\n<tr><td>a</td></tr><tr><td>a<td>b</tr></table>\n",
            1,
            "an HTML table with rows of different lengths",
        ),
        ('<Snippet file="fields.mdx" />\n', 1, "<Snippet/> is filled from another file"),
        (
            '<ParamField body="Deck (9005)" required>\n</ParamField>\n',
            1,
            "<ParamField> describes a field outside of a table",
        ),
        ("<Note\nnever ends\n\n", 1, "the component <Note has no end"),
    ],
)
def test_unreadable_parts_are_reported_with_their_lines(text: str, line: int, what: str) -> None:
    unreadable = [
        item for item in pages.read(text, "page.md", vocabulary()) if isinstance(item, UnreadableFact)
    ]
    assert [(item.location.line, item.what) for item in unreadable] in (
        [(line, what)],
        [(line, what), (line + 1, what)],
    )


def test_titles_of_components_are_headings() -> None:
    row = table("Tag | Name", "9002 | Berth")
    text = f'<Accordion title="Booking Report (35=B2)">\n\n{row}\n\n</Accordion>\n\n{row}\n'
    assert [fact.partition(": ")[2] for fact in facts(text)] == [
        "message B2 Booking Report",
        "member B2 9002 Berth",
        "field 9002 Berth",
    ]
