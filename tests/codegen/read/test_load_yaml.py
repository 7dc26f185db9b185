"""Reading one YAML file: scalars, locations, and rejected syntax."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.errors import SpecError
from codegen.read.nodes import read_yaml
from kalshi_fix_adapters.documents.mistakes import Mistake
from kalshi_fix_adapters.documents.nodes import Map, Node, Scalar, Seq, plain


def read(tmp_path: Path, text: str) -> Node:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


def rejected(tmp_path: Path, text: str | bytes) -> tuple[Mistake, ...]:
    path = tmp_path / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError) as caught:
        read_yaml(path)
    assert {mistake.location.file for mistake in caught.value.mistakes} == {path.as_posix()}
    return caught.value.mistakes


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *[(word, word) for word in ("yes", "no", "on", "off", "Y", "N", "True", "NO", "None", "Null")],
        *[
            (word, word)
            for word in ("1.0", "1.0.26", "2026-05-18", "1e3", "0x1F", "007", "1_0", "12:30", "+5", ".5")
        ],
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("21005", 21005),
        ('"21005"', "21005"),
        ("'true'", "true"),
    ],
)
def test_scalars_follow_yaml_1_2(tmp_path: Path, written: str, value: object) -> None:
    node = read(tmp_path, f"key: {written}\n")
    result = plain(node)["key"]
    assert (result, type(result)) == (value, type(value))


def test_the_text_of_a_number_is_kept_as_written(tmp_path: Path) -> None:
    node = read(tmp_path, "key: 12\n")
    assert isinstance(node, Map)
    assert node.entries["key"] == Scalar(12, "12", node.entries["key"].location)


def test_every_node_and_key_has_its_line_number(tmp_path: Path) -> None:
    node = read(tmp_path, "# a comment\nfirst: 1\nsecond:\n  - a\n  - {b: 2}\n")
    assert isinstance(node, Map)
    assert (node.at("first").line, node.at("second").line) == (2, 3)
    assert node.at("third").line == node.location.line
    second = node.entries["second"]
    assert isinstance(second, Seq)
    assert [item.location.line for item in second.items] == [4, 5]


def test_an_alias_has_the_value_of_its_anchor(tmp_path: Path) -> None:
    node = read(tmp_path, "one: &it {sessions: [A]}\ntwo: *it\n")
    assert plain(node) == {"one": {"sessions": ["A"]}, "two": {"sessions": ["A"]}}


def test_every_duplicate_key_is_reported(tmp_path: Path) -> None:
    mistakes = rejected(tmp_path, "a: 1\nb: {c: 1, c: 2}\na: 2\n")
    assert [(m.location.line, m.problem, m.advice) for m in mistakes] == [
        (2, "`c` is a duplicate (first on line 2)", "keep one of the two"),
        (3, "`a` is a duplicate (first on line 1)", "keep one of the two"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what", "advice"),
    [
        ("a: 1\nb: [1, 2\n", 3, "is not valid YAML", "correct the syntax"),
        ("a: 1\nb: it: 2\n", 2, "is not valid YAML", "quote text"),
        ('a: "open\n', 2, "is not valid YAML", "quote text"),
        ("a: 1\n---\nb: 2\n", 2, "is not valid YAML", "correct the syntax"),
        ("a: \x07\n", 1, "contains the character U+0007", "remove it"),
        ("", 1, "is empty", "fill it"),
        ("# only a comment\n", 1, "is empty", "fill it"),
        (b"a: 1\nb: \xff\n", 2, "is not UTF-8", "save the file as UTF-8"),
        ("a: 1\nb: !!python/name:os.system x\n", 2, "has no meaning here", "without a tag"),
        ("a: !!float 1.5\n", 1, "has no meaning here", "without a tag"),
        ("a: 1\n? [b]\n: 2\n", 2, "a key is not a plain name", "use a name"),
        ("a: &x\n  b: *x\n", 1, "an anchor contains itself", "write the value out"),
    ],
)
def test_unreadable_parts_are_listed_with_their_lines(
    tmp_path: Path, text: str | bytes, line: int, what: str, advice: str
) -> None:
    (mistake,) = rejected(tmp_path, text)
    assert mistake.location.line == line
    assert what in mistake.problem
    assert advice in mistake.advice
