"""Files made to consume unbounded time or memory: each exceeds a limit and is reported with file and line."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from codegen.diff import sources
from codegen.diff.documents import endpoints, inline, markdown, quickfix
from codegen.diff.facts import UnreadableFact
from codegen.diff.spec_index import SpecIndex
from codegen.errors import MAX_MISTAKES, Mistakes, SpecError
from codegen.read import bounded_xml, importer, members, nodes, quickfix_xml, schema
from codegen.read.nodes import read_yaml
from codegen.read.resolve import load_dialect
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.names import nearest
from tests.codegen.spec_folder import edited, mistakes_of, write


def read_as_yaml(tmp_path: Path, text: str) -> None:
    """Write a file with this text and read it as YAML."""
    path = tmp_path / "fields.yaml"
    path.write_text(text, encoding="utf-8")
    read_yaml(path)


def error_of(tmp_path: Path, text: str) -> str:
    """Return the error for a YAML file."""
    with pytest.raises(SpecError) as caught:
        read_as_yaml(tmp_path, text)
    return str(caught.value).removeprefix(f"{tmp_path.as_posix()}/fields.yaml")


# --- YAML ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [5, 9, 30])
def test_aliases_that_expand_exponentially_are_refused(tmp_path: Path, levels: int) -> None:
    text = "a0: &a0 x\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, levels + 1)
    )
    assert ": aliases expand to more than 10000 values; write the values out" in error_of(tmp_path, text)


def test_aliases_count_as_their_expanded_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "BOUNDS", attrs.evolve(nodes.BOUNDS, aliased=5))
    # An alias is one value of the file, and expands to four.
    read_as_yaml(tmp_path, "a: &a [1, 2, 3]\nb: *a\n")
    assert ":1: aliases expand to more than 5 values" in error_of(tmp_path, "a: &a [1, 2, 3]\nb: [*a, *a]\n")


def test_the_number_of_values_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "BOUNDS", attrs.evolve(nodes.BOUNDS, values=9))
    read_as_yaml(tmp_path, "a: [1, 2, 3, 4]\nb:\n")
    assert error_of(tmp_path, "a: [1, 2, 3, 4]\nb: [\n5]\n").startswith(":3: is not valid YAML: it has more")


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_the_error_for_deep_nesting_names_the_first_line_that_is_too_deep(
    tmp_path: Path, opening: str
) -> None:
    assert ":2: is not valid YAML: it is nested more than 64 levels deep" in error_of(
        tmp_path, "# deep\n" + opening * 3000
    )


def test_nesting_up_to_the_limit_is_accepted(tmp_path: Path) -> None:
    read_as_yaml(tmp_path, "[" * nodes.BOUNDS.depth + "]" * nodes.BOUNDS.depth)
    assert "nested more" in error_of(
        tmp_path, "[" * (nodes.BOUNDS.depth + 1) + "]" * (nodes.BOUNDS.depth + 1)
    )


def test_expanded_aliases_must_not_exceed_the_maximum_depth(tmp_path: Path) -> None:
    links = "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 70))
    assert "aliases expand to more than 64 levels" in error_of(tmp_path, f"a0: &a0 x\n{links}")


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 19, "1" * 19])
def test_numbers_have_a_bounded_length(tmp_path: Path, number: str) -> None:
    assert error_of(tmp_path, f"a: 1\nb: {number}\n").startswith(":2: a number has more than 18 digits;")
    read_as_yaml(tmp_path, f"a: {'9' * 18}\nb: -{'9' * 18}\nc: '{number}'\n")


def test_files_have_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_FILE_SIZE", 100)
    read_as_yaml(tmp_path, "a: " + "x" * 97)
    assert error_of(tmp_path, "a: " + "x" * 98).startswith(":1: has more than 100 bytes;")


def test_mistakes_are_bounded_in_number_and_length(tmp_path: Path) -> None:
    text = "".join(f"? [{n}]\n: x\n" for n in range(2000))
    found = error_of(tmp_path, text).split("\n")
    assert len(found) == MAX_MISTAKES + 1
    assert "there are more mistakes" in found[-1]
    mistakes = Mistakes()
    mistakes.add(Location("f", 1), "w" * 5000, "a")
    mistakes.add(Location("f", 1), "w" * 5000, "a")
    assert len(mistakes.found) == 1
    assert len(str(mistakes.found[0])) < 1200


def test_many_different_items_are_compared_in_linear_time() -> None:
    class Item(dict[str, int]):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Item.compared += 1
            return super().__eq__(other)

        __hash__ = None

    items = [Item(n=n) for n in range(500)]
    validator = schema._validator("manifest").evolve(schema={"uniqueItems": True})
    assert validator.is_valid(items)
    assert not validator.is_valid([*items, Item(n=7)])
    assert validator.is_valid("not a list")
    assert Item.compared == 0


# --- components and groups of a spec ---------------------------------------------------------------------


def mistakes(folder: Path) -> str:
    """Return the reported mistakes of a spec folder."""
    return "\n".join(map(str, mistakes_of(folder)))


def chained(levels: int, *, both: bool) -> str:
    """Return nested components, each of which contains one or both components of the next level."""
    lines = ["components:"]
    for level in range(levels):
        for side in "AB":
            inner = [f"{item}{level + 1}: include" for item in ("AB" if both else side)]
            lines.append(f"  {side}{level}: {{members: {{{', '.join(inner)}}}}}")
    lines += [f"  {side}{levels}: {{members: {{Price: optional}}}}" for side in "AB"]
    return "\n".join(lines) + "\n"


def with_components(tmp_path: Path, text: str) -> Path:
    components = edited("components", "components:\n", text)
    return write(
        tmp_path,
        components=components,
        messages_orders=edited("messages_orders", "Rank:    optional", "A0: include"),
    )


def test_the_error_for_a_component_included_twice_at_each_level_names_it(tmp_path: Path) -> None:
    found = mistakes(with_components(tmp_path, chained(28, both=True)))
    assert "components.yaml:" in found
    assert "message `OrderReport` includes component `A28` twice; remove one of the two" in found
    assert len(found.split("\n")) < 100


def test_the_error_for_a_component_inside_itself_names_it(tmp_path: Path) -> None:
    loop = "components:\n  A0: {members: {B0: include}}\n  B0: {members: {A0: include}}\n"
    found = mistakes(with_components(tmp_path, loop))
    assert "message `OrderReport` includes component `A0` inside itself" in found


@pytest.mark.parametrize("levels", [members.MAX_NESTING - 1, members.MAX_NESTING, 300])
def test_the_nesting_of_components_is_bounded(tmp_path: Path, levels: int) -> None:
    found = mistakes(with_components(tmp_path, chained(levels, both=False)))
    assert ("components are nested more than 32 levels deep" in found) is (levels >= members.MAX_NESTING)


@pytest.mark.parametrize("levels", [members.MAX_NESTING - 1, members.MAX_NESTING, 300])
def test_the_nesting_of_groups_is_bounded(tmp_path: Path, levels: int) -> None:
    groups = "".join(
        f"  G{n}: {{doc: d, counter: NoLegs, entry: E{n}, delimiter: LegSymbol,"
        f" members: {{LegSymbol: required{f', G{n + 1}: optional' if n < levels - 1 else ''}}}}}\n"
        for n in range(levels)
    )
    components = edited("components", "groups:\n", f"groups:\n{groups}")
    orders = edited("messages_orders", "Legs:    {", "G0:    {")
    found = mistakes(write(tmp_path, components=components, messages_orders=orders))
    assert ("groups are nested more than 32 levels deep" in found) is (levels > members.MAX_NESTING)


def test_the_number_of_fields_of_a_dialect_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_dialect(write(tmp_path))
    monkeypatch.setattr(members, "MAX_FIELDS", 10)
    assert "the dialect has more than 10 fields in its blocks" in mistakes(write(tmp_path))


# --- dictionaries --------------------------------------------------------------------------------------


def dictionary(
    components: str, *, extra: str = "", message: str = "<component name='A0' required='Y'/>"
) -> str:
    return (
        "<fix type='FIX' major='5' minor='0'><trailer/>"
        "<header><field name='BeginString' required='Y'/></header>"
        f"<messages><message name='Order' msgtype='D' msgcat='app'>{message}</message></messages>"
        f"<components>{components}</components><fields><field number='8' name='BeginString' type='STRING'/>"
        f"<field number='1' name='Account' type='STRING'/><field number='2' name='NoLegs' type='NUMINGROUP'/>"
        f"{extra}</fields></fix>"
    )


def nested(levels: int, *, both: bool) -> str:
    parts = []
    for level in range(levels):
        for side in "AB":
            inner = "".join(
                f"<component name='{item}{level + 1}' required='Y'/>" for item in ("AB" if both else side)
            )
            parts.append(f"<component name='{side}{level}'>{inner}</component>")
    return "".join(parts) + "".join(
        f"<component name='{side}{levels}'><field name='Account' required='Y'/></component>" for side in "AB"
    )


def unreadable_parts(text: str) -> list[str]:
    facts = quickfix.read(text.encode(), "d.xml")
    return [fact.what for fact in facts if isinstance(fact, UnreadableFact)]


def import_error(tmp_path: Path, text: str) -> str:
    path = tmp_path / "d.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        importer.import_dictionaries([quickfix_xml.read(path)], "d", "D")
    return str(caught.value).removeprefix(path.as_posix())


LAUGHS = (
    "<!DOCTYPE fix [<!ENTITY a 'aaaaaaaaaa'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1 if n > 1 else str()};' * 10}'>" for n in range(1, 9))
    + "]>\n<fix x='&a8;'/>"
)
DEFAULTS = "<!DOCTYPE fix [<!ATTLIST field x CDATA '{}'>]>\n<fix/>".format("x" * 1000)


@pytest.mark.parametrize("text", [LAUGHS, DEFAULTS])
def test_a_dictionary_must_not_contain_dtd_declarations(tmp_path: Path, text: str) -> None:
    assert import_error(tmp_path, text).startswith(":1: contains DTD declarations;")
    assert unreadable_parts(text) == ["not a QuickFIX dictionary: it contains DTD declarations"]


def test_a_document_type_without_declarations_is_accepted() -> None:
    assert unreadable_parts("<!DOCTYPE fix>" + dictionary("<component name='A0'/>")) == []


@pytest.mark.parametrize("levels", [60, 61, 100_000])
def test_the_nesting_of_elements_is_bounded(tmp_path: Path, levels: int) -> None:
    groups = "<group name='NoLegs' required='Y'>" * levels + "</group>" * levels
    text = dictionary("", message=groups)
    is_over = levels + 3 > bounded_xml.MAX_XML_DEPTH
    assert ("nested more than 64 levels deep" in import_error(tmp_path, text)) is is_over
    assert any("nested more than 64 levels deep" in what for what in unreadable_parts(text)) is is_over


@pytest.mark.parametrize("number", ["9" * 5000, "1" * 10])
def test_tags_have_a_bounded_length(tmp_path: Path, number: str) -> None:
    text = dictionary("", message="", extra=f"<field number='{number}' name='Other' type='INT'/>")
    assert "is not a number of at most 9 digits" in import_error(tmp_path, text)
    assert unreadable_parts(text) == ["a field without a number or a name"]


def test_the_exponential_expansion_of_dictionary_components_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quickfix, "MAX_MEMBERS", 1000)
    monkeypatch.setattr(importer, "MAX_MEMBERS", 1000)
    text = dictionary(nested(25, both=True))
    assert unreadable_parts(text) == ["the blocks have more than 1000 members"]
    assert "exceeds 1000 members with its components expanded" in import_error(tmp_path, text)


def test_the_nesting_of_components_of_a_dictionary_is_bounded(tmp_path: Path) -> None:
    text = dictionary(nested(3000, both=False))
    assert "component A32 is nested too deeply" in unreadable_parts(text)
    assert "exceeds 32 levels with its components expanded" in import_error(tmp_path, text)


def test_a_component_that_contains_itself_through_a_group_is_rejected(tmp_path: Path) -> None:
    loop = (
        "<component name='A0'><field name='Account' required='Y'/><group name='NoLegs' required='Y'>"
        "<component name='A0' required='Y'/></group></component>"
    )
    assert "group NoLegs is nested more than 32 levels deep" in import_error(tmp_path, dictionary(loop))
    assert "component A0 is not defined, or contains itself" in unreadable_parts(dictionary(loop))


def test_dictionaries_have_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quickfix_xml, "MAX_XML_SIZE", 100)
    assert import_error(tmp_path, dictionary("")).startswith(":1: has more than 100 bytes;")


@pytest.mark.parametrize("name", ["d.xml", "page.md"])
def test_sources_have_a_bounded_size(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_XML_SIZE", 100)
    monkeypatch.setattr(markdown, "MAX_PAGE_SIZE", 100)
    path = tmp_path / name
    path.write_bytes(b"x" * 101)
    spec = SpecIndex(write(tmp_path / "spec"))
    with pytest.raises(sources.SourceError, match=f"{name}:1: has more than 100 bytes"):
        sources.gather([path], spec, None)


def test_nearest_searches_a_bounded_number_of_names() -> None:
    names = [f"Name{number}" for number in range(5000)]
    assert nearest("Name77x", names) == "Name77"
    assert nearest("Name77x", [*names, "Other"]) is None


# --- pages ----------------------------------------------------------------------------------------------


def test_lines_and_tags_that_are_too_long_are_reported_as_unreadable() -> None:
    long, line = "x" * (markdown.MAX_LINE + 1), "y" * markdown.MAX_LINE
    assert markdown.blocks(f"{line}\n\n{long}\n\n{line}") == [
        markdown.Paragraph(1, line),
        markdown.UnparsableMarkup(3, f"a line of more than {markdown.MAX_LINE} characters"),
        markdown.Paragraph(5, line),
    ]
    tag = "<Card\n" + "a\n" * 40 + "/>\n"
    assert isinstance(markdown.blocks(tag)[0], markdown.Component)
    for rest in ("a\n" * 60 + "/>\n", f"{long}\n/>\n"):
        assert markdown.blocks(f"<Card\n{rest}")[0] == markdown.UnparsableMarkup(
            1, "the component <Card has no end"
        )


@pytest.mark.parametrize(
    "fragment",
    [
        "> ",
        "1. - ",
        "1. ",
        "> - ",
        "- a\n",
        "> a\nb\n",
        "a\n",
        "a\n    b\n",
        "- ```\n",
        "a|b\n-|-\n",
        "|a|\n",
        "<A\n",
        "<table>\n",
        "<tr><td>",
        "<table><tr ",
    ],
)
def test_long_and_deep_pages_do_not_raise(fragment: str) -> None:
    assert markdown.blocks(fragment * (markdown.MAX_LINE // len(fragment)))


def test_parts_that_are_nested_too_deeply_are_reported_as_unreadable() -> None:
    for mark in ("> ", "- "):
        last, *rest = reversed(markdown.blocks(f"{mark * 19}a\n\nb\n\n{mark * 40}c\n"))
        what = "the rest of the page, because lists and quotes are nested more than 40 levels deep"
        assert last == markdown.UnparsableMarkup(5, what)
        assert not any(isinstance(block, markdown.UnparsableMarkup) for block in rest)


def test_the_limit_on_cells_includes_cells_that_rows_omit() -> None:
    head = "|a" * 200 + "\n" + "|-" * 200 + "\n"
    found = markdown.blocks((head + "|b\n" * 100 + "\n") * 20)
    tables = [block for block in found if isinstance(block, markdown.Table)]
    assert sum(len(table.header.cells) * (len(table.rows) + 1) for table in tables) < markdown.MAX_CELLS * 1.5
    assert any(isinstance(block, markdown.UnparsableMarkup) for block in found)
    assert markdown.blocks("|" * (markdown.MAX_CELLS + 1)) == [
        markdown.UnparsableMarkup(1, f"more than {markdown.MAX_CELLS} table cells")
    ]


def test_a_tag_at_any_indentation_ends_a_paragraph() -> None:
    assert markdown.blocks("<Tab title='t'>\n      text\n      </Tab>\n* <B>b</B> c\n") == [
        markdown.Component(1, "Tab", {"title": "t"}, empty=False),
        markdown.Paragraph(2, "text"),
        markdown.End(3, "Tab"),
        markdown.Item(4, 0, "<B>b</B> c"),
    ]


@pytest.mark.parametrize(
    "fragment",
    [
        "<!--",
        "{/*",
        "[",
        "![",
        "[](",
        "![](",
        "<http://",
        "*a ",
        "_a ",
        " *a",
        " _a",
        "`a``",
        "**",
        "&#65",
        "<",
    ],
)
def test_unclosed_markup_is_read_in_linear_time(fragment: str) -> None:
    """Searching for the end of every opening mark would take minutes in a text of this size."""
    text = fragment * 20_000
    assert inline.mark_code_spans(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a <!-- b --> c <!-- d", "a c <!-- d"),
        ("`a` ``b ` c`` ```d", "a b ` c ```d"),
        ("\\`a` b", "`a` b"),
        ("**a** *b c* *d", "a b c *d"),
        ("_a_ b_c _d", "a b_c _d"),
        (f"&#{'9' * 5000}; &#9999999; &#65;", f"&#{'9' * 5000}; \ufffd A"),
        (f"`&#{'9' * 5000}; &#9999999; &#65; &lt;`", f"&#{'9' * 5000}; \ufffd A <"),
        ("\\<A> Side&lt;b&gt; <a href='x'>c</a> Buy<1> d<br/>e", "<A> Side<b> c Buy<1> d e"),
        ("[`a` b](c) **Pending New\\<A>** a__b__c `d_e_f*`", "a b Pending New<A> a__b__c d_e_f*"),
        ("<https://kalshi.example/a_b_c> d", "d"),
        ("*" * (inline.MAX_TEXT + 1), "*" * (inline.MAX_TEXT + 1)),
        ("[a](b) ![c](d) [e", "a c [e"),
    ],
)
def test_markup_is_removed(text: str, plain: str) -> None:
    assert inline.plain(text) == plain


@pytest.mark.parametrize("below", ["-" + " " * 9000 + "x", "|-" * 4000 + "x", "|", ""])
def test_a_line_that_is_not_a_separator_does_not_start_a_table(below: str) -> None:
    assert not any(isinstance(block, markdown.Table) for block in markdown.blocks(f"a|b\n{below}\n"))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("# a", "a"),
        ("## a ##", "a"),
        ("## a ## {#id}", "a"),
        ("# a {#id}", "a"),
        ("# a" + " #" * 6000 + " x", "a" + " #" * 6000 + " x"),
        ("# a" + " " * 9000 + "x", "a" + " " * 9000 + "x"),
        ("# {#" + "i" * 300 + "}", "{#" + "i" * 300 + "}"),
    ],
)
def test_headings_are_read_in_linear_time(line: str, text: str) -> None:
    (heading,) = markdown.blocks(line)
    assert isinstance(heading, markdown.Heading)
    assert heading.text == text


def test_hosts_are_found_after_any_text_in_linear_time() -> None:
    location = Location("page.md", 1)
    text = "a _b" * 20_000 + ". Order Entry Host: fix.example.com"
    found = list(endpoints.hosts_with_roles(text, location, ""))
    assert [(item.role, item.host) for item in found] == [("Order Entry", "fix.example.com")]
    assert not list(endpoints.hosts_with_roles("host: fix.example.com", location, ""))
