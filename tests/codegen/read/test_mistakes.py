"""Every kind of mistake in a spec: its line, the error and the advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.codegen.spec_folder import FILES, edited, line_of, mistakes_of, path_of, write

STRUCTURAL_MISTAKES: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("mistakes.yaml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("kind", STRUCTURAL_MISTAKES, ids=lambda kind: kind.replace(" ", "-"))
def test_a_mistake_is_reported_with_file_line_and_advice(tmp_path: Path, kind: str) -> None:
    case = STRUCTURAL_MISTAKES[kind]
    changed = {file: edited(file, old, new) for file, old, new in (case["change"], *case.get("and", ()))}
    named, passage = case["named"]
    texts = FILES | {path_of(file): text for file, text in changed.items()}
    found = mistakes_of(write(tmp_path, **changed))
    assert [(Path(m.location.file).relative_to(tmp_path).as_posix(), m.location.line) for m in found] == [
        (path_of(named), line_of(texts[path_of(named)], passage))
    ]
    assert found[0].problem.startswith(case["what"])
    assert found[0].advice.startswith(case["advice"])


def test_every_element_needs_a_source(tmp_path: Path) -> None:
    texts = {name: FILES[path_of(name)].replace("source: manual\n", "") for name in ("fields", "codesets")}
    found = mistakes_of(write(tmp_path, **texts))
    assert {Path(item.location.file).name for item in found} == {"fields.yaml", "codesets.yaml"}
    assert "field `ClOrdID` has no source" in [item.problem for item in found]
    assert "code `Side.Buy` has no source" in [item.problem for item in found]
    assert {item.advice.partition(",")[0] for item in found} == {"add `source`"}


def test_all_independent_mistakes_in_content_are_found_in_one_run(tmp_path: Path) -> None:
    found = mistakes_of(
        write(
            tmp_path,
            fields=edited("fields", ", length: NoteLength", ""),
            components=edited("components", "delimiter: NoteText", "delimiter: NotText"),
            sessions=edited("sessions", "port: 9001, host: main", "port: 9001, host: man"),
            messages_orders=edited("messages_orders", "legacy: OldUrgent", "legacy: Older"),
        )
    )
    assert [Path(item.location.file).name for item in found] == [
        "components.yaml",
        "fields.yaml",
        "orders.yaml",
        "sessions.yaml",
    ]


def test_all_mistakes_in_the_structure_of_files_are_found_in_one_run(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        fields=edited("fields", "tag: 54, type: CHAR", "tag: x, typ: CHAR"),
        codesets=edited("codesets", 'value: 1, doc: "Low."', 'doc: "Low."'),
        messages_orders=edited("messages_orders", "    msg_type: D\n", ""),
    )
    found = mistakes_of(folder)
    assert [(Path(m.location.file).name, m.location.line, m.problem) for m in found] == [
        ("codesets.yaml", 12, "`codesets.Level.codes.Low` has no `value`"),
        ("fields.yaml", 8, "`fields.Side` has an unknown key `typ`"),
        ("fields.yaml", 8, "`fields.Side` has no `type`"),
        ("fields.yaml", 8, "`fields.Side.tag` is `x`, not a whole number"),
        ("orders.yaml", 3, "`messages.NewOrder` has no `msg_type`"),
    ]
    assert str(found[0]) == (
        f"{folder.as_posix()}/codesets.yaml:12: `codesets.Level.codes.Low` has no `value`; "
        "add `value`: a value in wire format"
    )
