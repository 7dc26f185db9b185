"""Fuzz target `diff`: the readers of the venue's documents, with arbitrary pages and dictionaries."""

from __future__ import annotations

from typing import Final

from codegen.diff.documents import changelog, pages, quickfix
from codegen.diff.facts import Fact, Vocabulary
from kalshi_fix_sansio.fuzzing import Choices

_VOCABULARY: Final = Vocabulary(
    messages={"D": "NewOrderSingle", "8": "ExecutionReport"},
    fields={11: "ClOrdID", 54: "Side", 44: "Price", 39: "OrdStatus"},
    kinds={11: "STRING", 54: "CHAR", 44: "DECIMAL", 39: "CHAR"},
    codes={54: {"1": "Buy", "2": "Sell"}},
    sessions=("KalshiNR", "KalshiRT"),
    environments=("demo", "production"),
)
_FRAGMENTS: Final = (
    "# New Order (35=D)",
    "## ClOrdID (11)",
    "| Tag | Name | Required | Description |",
    "|-----|------|----------|-------------|",
    "| 11 | ClOrdID | Yes | Id of the order |",
    "| 54 | Side | No | `1` = Buy, `2` = Sell |",
    "- `1`: Buy",
    "- **44** (Price): in dollars",
    "**Values**",
    "```",
    '<ParamField name="Side" type="char" required>',
    "</ParamField>",
    '<Accordion title="Fields">',
    "Tag 39 is sent with every report.",
    "<!-- note",
    "-->",
    "---",
    "title: x",
    "wss://fix.example:8228",
    "    | 44 | Price |",
    "<table><tr><td>11</td></tr></table>",
    '<Update label="May 3, 2026" tags={["FIX"]} rss={{title: "New", description: "It is."}}>',
    "</Update>",
    "8=FIXT.1.1|35=D|11=a|54=1|10=000|",
)
_ELEMENTS: Final = (
    '<fix major="5">',
    "<messages>",
    '<message name="M" msgtype="m" msgcat="app">',
    '<field name="F" required="Y"/>',
    '<component name="C" required="Y"/>',
    '<group name="G" required="N">',
    "</group>",
    "</message>",
    "</messages>",
    "<components>",
    '<component name="C">',
    '<component name="C"/>',
    "</component>",
    "</components>",
    "<fields>",
    '<field number="1" name="F" type="STRING">',
    '<value enum="1" description="ONE"/>',
    "</field>",
    "</fields>",
    "</fix>",
    "<!-- 1.0.3 -->",
)
_REPEAT_COUNTS: Final = (2, 3, 10, 50)


def check(data: bytes) -> None:
    """Reading any page or dictionary returns facts, or the parts that could not be read, and never raises."""
    choices = Choices(data)
    is_page = not choices.one_in(2)
    parts: list[str] = []
    while choices.has_more and len(parts) < 60:
        fragment = choices.pick(_FRAGMENTS if is_page else _ELEMENTS)
        match choices.below(6):
            case 0:
                fragment = choices.chunk().decode("latin-1")
            case 1:
                cut = choices.below(len(fragment) + 1)
                fragment = fragment[:cut] + choices.take(choices.below(6)).decode("latin-1") + fragment[cut:]
            case 2:
                cut = choices.below(len(fragment))
                fragment = (
                    fragment[:cut]
                    + fragment[cut : cut + 1 + choices.below(4)] * choices.pick(_REPEAT_COUNTS)
                    + fragment[cut:]
                )
            case 3:
                parts += parts[-4:]
        parts.append(fragment)
    check_invariant("\n".join(parts), is_page=is_page)


def check_invariant(text: str, *, is_page: bool) -> list[Fact]:
    """Check the invariant for one page or dictionary; return its facts."""
    if is_page:
        return [*pages.read(text, "page.md", _VOCABULARY), *changelog.read(text, "page.md", _VOCABULARY)]
    return list(quickfix.read(text.encode("utf-8"), "fix.xml"))
