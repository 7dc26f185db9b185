"""The shape of each file: one case for each kind of slip, with the line it is in and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.errors import SpecError
from codegen.read.resolve import load_dialect
from tests.codegen.spec_folder import edited, line_of, path_of, write

CASES = {
    "unknown key of a field": (
        "fields",
        "tag: 11, type: STRING, max_length",
        "tag: 11, type: STRING, maxlength",
        "`fields.ClOrdID` has an unknown key `maxlength`",
        "did you mean `max_length`?",
    ),
    "missing key of a field": (
        "fields",
        "tag: 11, type: STRING, max_length",
        "type: STRING, max_length",
        "`fields.ClOrdID` has no `tag`",
        "add `tag`: the tag, a whole number from 1",
    ),
    "unknown key of a message": (
        "messages_orders",
        "flows: {sender: client",
        "flow: {sender: client",
        "`messages.NewOrder` has an unknown key `flow`",
        "did you mean `flows`?",
    ),
    "unknown key of a member": (
        "messages_orders",
        "Legs:    {required_on:",
        "Legs:    {require_on:",
        "`messages.NewOrder.members.Legs` has an unknown key `require_on`",
        "did you mean `required_on`?",
    ),
    "unknown key far from any": (
        "sessions",
        '{purpose: "Quotes.", port: 9001,',
        '{purpose: "Quotes.", port: 9001, x: 1,',
        "`sessions.Quotes` has an unknown key `x`",
        "use one of `max_message_size`, `comp_ids`, `host`",
    ),
    "unknown section": (
        "codesets",
        "codesets:\n",
        "codeset:\n",
        "the file has an unknown key `codeset`",
        "did you mean `codesets`?",
    ),
    "unknown presence": (
        "messages_orders",
        "ClOrdID: required\n",
        "ClOrdID: requird\n",
        "`messages.NewOrder.members.ClOrdID` is `requird`",
        "did you mean `required`?",
    ),
    "presence that is a boolean": (
        "messages_orders",
        "Note:    optional",
        "Note:    true",
        "`messages.NewOrder.members.Note` is `true`, not a mapping",
        "write required, optional, or a mapping",
    ),
    "presence that is a list": (
        "messages_orders",
        "Note:    optional",
        "Note:    [optional]",
        "`messages.NewOrder.members.Note` is a list, not a mapping",
        "write required, optional, or a mapping",
    ),
    "doc that is a mapping": (
        "codesets",
        'doc: "Buys."',
        "doc: {en: Buys.}",
        "`codesets.Side.codes.Buy.doc` is a mapping, not text",
        "write a sentence or two",
    ),
    "member without a value": (
        "messages_orders",
        "Note:    optional",
        "Note:",
        "`messages.NewOrder.members.Note` is empty, not a mapping",
        "write required, optional, or a mapping",
    ),
    "unknown sender": (
        "messages_orders",
        "flows: {sender: client",
        "flows: {sender: clint",
        "`messages.NewOrder.flows.sender` is `clint`",
        "did you mean `client`?",
    ),
    "tag that is text": (
        "fields",
        "tag: 11, type: STRING, max_length",
        'tag: "11", type: STRING, max_length',
        "`fields.ClOrdID.tag` is `11`, not a whole number",
        "write the tag, a whole number from 1",
    ),
    "tag out of range": (
        "fields",
        "tag: 11, type: STRING, max_length",
        "tag: 0, type: STRING, max_length",
        "`fields.ClOrdID.tag` is `0`",
        "write the tag, a whole number from 1",
    ),
    "unknown kind of datatype": (
        "datatypes",
        "kind: DECIMAL",
        "kind: DECIMALS",
        "`datatypes.PRICE.kind` is `DECIMALS`",
        "did you mean `DECIMAL`?",
    ),
    "pattern that is none": (
        "fields",
        '"[a-z]+"',
        '"[a-z"',
        "`fields.ClOrdID.pattern` is `[a-z`",
        "write a regular expression",
    ),
    "empty doc": (
        "codesets",
        'doc: "Buys."',
        'doc: ""',
        "`codesets.Side.codes.Buy.doc` is empty",
        "write a sentence or two",
    ),
    "no codes": (
        "codesets",
        'codes:\n      Low:  {value: 1, doc: "Low."}\n      High: {value: 2, doc: "High."}\n',
        "codes: {}\n",
        "`codesets.Level.codes` is empty",
        "write the values by their names",
    ),
    "code without value": (
        "codesets",
        "Sell: {value: 2, doc",
        "Sell: {doc",
        "`codesets.Side.codes.Sell` has no `value`",
        "add `value`: a value as it looks on the wire",
    ),
    "group without delimiter": (
        "components",
        "    delimiter: LegSymbol\n",
        "",
        "`groups.Legs` has no `delimiter`",
        "add `delimiter`: the field that opens an entry",
    ),
    "something listed twice": (
        "sessions",
        "products: [spot, futures]",
        "products: [spot, spot]",
        "`sessions.Orders.products` lists something twice",
        "remove the repetition",
    ),
    "port out of range": (
        "sessions",
        "port: 9001",
        "port: 90010",
        "`sessions.Quotes.port` is `90010`",
        "write a TCP port",
    ),
    "missing setting of the manifest": (
        "manifest",
        "title: Mini\n",
        "",
        "the file has no `title`",
        "add `title`: the dialect's name for people",
    ),
    "bad date of a version": (
        "manifest",
        "1.1.0: 2026-05-18",
        "1.1.0: 18.5.2026",
        "`versions.1.1.0` is `18.5.2026`",
        "write a date such as 2026-05-18",
    ),
    "item of a list": (
        "components",
        "- {exactly_one: [Price, StopPx]}",
        "- {exactly_1: [Price, StopPx]}",
        "`components.Prices.one_of[1]` has an unknown key `exactly_1`",
        "did you mean `exactly_one`?",
    ),
    "condition that is a word": (
        "messages_orders",
        "forbidden_when: {Side: Sell}",
        "forbidden_when: Sell",
        "`messages.NewOrder.members.Level.forbidden_when` is `Sell`, not a mapping",
        "write products, sessions, sender, messages, logon, and sibling fields",
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_a_slip_is_named_with_file_line_and_advice(tmp_path: Path, case: str) -> None:
    name, old, new, what, advice = CASES[case]
    text = edited(name, old, new)
    with pytest.raises(SpecError) as caught:
        load_dialect(write(tmp_path, **{name: text}))
    (mistake,) = caught.value.mistakes
    assert mistake.location.file == f"{tmp_path.as_posix()}/{path_of(name)}"
    assert mistake.what.startswith(what)
    assert mistake.advice.startswith(advice)
    assert mistake.location.line in _lines(text, old, new)


def _lines(text: str, old: str, new: str) -> range:
    """The line with the slip; where the slip is that something is missing, the element it is missing from."""
    if new and new in text:
        start = line_of(text, new)
        return range(start, start + new.count("\n") + 1)
    name = {"    delimiter: LegSymbol\n": "  Legs:\n    doc", "title: Mini\n": "name: mini"}[old]
    return range(line_of(text, name), line_of(text, name) + 1)


def test_all_slips_of_all_files_are_found_in_one_run(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        fields=edited("fields", "tag: 54, type: CHAR", "tag: x, typ: CHAR"),
        codesets=edited("codesets", 'value: 1, doc: "Low."', 'doc: "Low."'),
        messages_orders=edited("messages_orders", "    msg_type: D\n", ""),
    )
    with pytest.raises(SpecError) as caught:
        load_dialect(folder)
    assert [(Path(m.location.file).name, m.location.line, m.what) for m in caught.value.mistakes] == [
        ("codesets.yaml", 12, "`codesets.Level.codes.Low` has no `value`"),
        ("fields.yaml", 8, "`fields.Side` has an unknown key `typ`"),
        ("fields.yaml", 8, "`fields.Side` has no `type`"),
        ("fields.yaml", 8, "`fields.Side.tag` is `x`, not a whole number"),
        ("orders.yaml", 3, "`messages.NewOrder` has no `msg_type`"),
    ]
    first = str(caught.value).splitlines()[0]
    assert first == (
        f"{folder.as_posix()}/codesets.yaml:12: `codesets.Level.codes.Low` has no `value`; "
        "add `value`: a value as it looks on the wire"
    )
