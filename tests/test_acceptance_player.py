"""The player of acceptance definitions: parsing, sending and comparing, and a run against the examples."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from interop.acceptance.definition import Action, Definition, for_initiator, read, read_all
from interop.acceptance.engine import AcceptorEngine, Engine, InitiatorEngine
from interop.acceptance.player import Failure, play
from interop.acceptance.wire import difference, frame_fault, to_wire

LOGON = "8=FIXT.1.1|35=A|34=1|49=TW|52=<TIME>|56=ISLD|98=0|108=30|1137=9|"
ANSWER = "8=FIXT.1.1|35=A|34=1|49=ISLD|52=|56=TW|98=0|108=30|1137=9|"
ORDER = "11=id|40=1|54=1|38=002000.00|60=20260821-12:00:00|"
SESSION = f"""\
# a comment

iCONNECT
I{LOGON}
E{ANSWER}
I8=FIXT.1.1|35=D|34=2|49=TW|52=<TIME>|56=ISLD|115=JCD|{ORDER}
E8=FIXT.1.1|35=D|34=2|49=ISLD|52=|56=TW|128=JCD|{ORDER}
I8=FIXT.1.1|35=D|34=3|49=TW|52=<TIME>|56=ISLD|97=Y|{ORDER}
I8=FIXT.1.1|35=F|34=4|49=TW|52=<TIME>|56=ISLD|11=b|54=1|60=<TIME-5>|
E8=FIXT.1.1|35=j|34=3|49=ISLD|52=|56=TW|45=4|58=|372=F|380=3|1137=9|
I8=FIXT.1.1|35=C|34=5|49=TW|52=<TIME>|56=ISLD|164=t|94=0|147=s|33=1|58=line|
E8=FIXT.1.1|35=C|34=4|49=ISLD|52=|56=TW|164=t|94=0|147=s|33=1|58=line|
I8=FIXT.1.1|35=5|34=6|49=TW|52=<TIME>|56=ISLD|
E8=FIXT.1.1|35=5|34=5|49=ISLD|52=|56=TW|
eDISCONNECT
iCONNECT
I{LOGON}
E{ANSWER}
"""


def definition(tmp_path: Path, text: str) -> Definition:
    path = tmp_path / "made-up.def"
    path.write_text(soh(text), encoding="latin-1")
    return read(path)


def soh(text: str) -> str:
    return text.replace("|", "\x01")


def test_a_definition_is_read_step_by_step(tmp_path: Path) -> None:
    found = definition(
        tmp_path, "i1,CONNECT\nI1,8=a|108=6|\n# no\ne2,DISCONNECT\nR8=b|\ni2,DISCONNECT\nE8=c|\n"
    )
    assert found.name == "made-up"
    assert [(step.action, step.connection, step.line) for step in found.steps] == [
        (Action.CONNECT, 1, 1),
        (Action.SEND, 1, 2),
        (Action.AWAIT_DISCONNECT, 2, 4),
        (Action.SEND, 1, 5),
        (Action.DISCONNECT, 2, 6),
        (Action.EXPECT, 1, 7),
    ]
    assert (found.connection_count, found.heart_bt_int) == (2, "6")
    assert definition(tmp_path, "iCONNECT\n").heart_bt_int == "30"
    assert definition(tmp_path, "I8=a|108=-10|\nI8=a|108=7|\n").heart_bt_int == "7"


def test_lines_that_are_not_steps_are_skipped(tmp_path: Path) -> None:
    assert [step.line for step in definition(tmp_path, "q\niCONNECT\n\n #\nxE8=a|\nE8=a|\n").steps] == [2, 6]


def test_sending_time_and_transact_time_are_compared_if_a_definition_has_them() -> None:
    sent = "8=a|35=D|34=2|52=20260821-12:00:00|11=id|60=20260821-12:00:00|"
    for expected in ("8=a|35=D|34=2|52=|11=id|60=|", "8=a|35=D|34=2|11=id|", "8=a|35=D|34=2|52=|11=id|"):
        assert difference(soh(expected), soh(sent)) is None
    assert difference(soh("8=a|35=D|34=2|52=|11=id|60=|"), soh("8=a|35=D|34=2|11=id|")) is not None


def test_the_requested_default_appl_ver_id_replaces_the_usual_one(tmp_path: Path) -> None:
    for name, version in (("a", "10"), ("b", "10"), ("c", "33")):
        text = f"iCONNECT|I8=FIXT.1.1|35=A|1137={version}|11137=10|E8=FIXT.1.1|35=A|1137={version}|"
        (tmp_path / f"{name}.def").write_text(soh(text).replace("\x01I8", "\nI8"), "latin-1")
    for requested, versions in (("", ["10", "10", "33"]), ("9", ["9", "9", "33"])):
        found = read_all(tmp_path, requested)
        assert [each.name for each in found] == ["a", "b", "c"]
        assert [each.steps[1].value(1137) for each in found] == versions
        assert {each.steps[1].value(11137) for each in found} == {"10"}
    assert read_all(tmp_path / "empty", "9") == []


@pytest.mark.parametrize("line", ["iWAIT", "eCONNECTED"])
def test_an_invalid_step_is_named_in_the_error(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"made-up.def:2: not a step: {line}")):
        definition(tmp_path, f"iCONNECT\n{line}\n")


def test_a_reversed_definition_lets_the_engine_log_on_first(tmp_path: Path) -> None:
    steps = for_initiator(definition(tmp_path, SESSION)).steps
    kinds = [(step.action, step.value(35)) for step in steps]
    assert kinds[:4] == [
        (Action.AWAIT_CONNECT, None),
        (Action.EXPECT, "A"),
        (Action.SEND, "A"),
        (Action.SEND, "D"),
    ]
    assert kinds[-3:] == [(Action.AWAIT_CONNECT, None), (Action.EXPECT, "A"), (Action.SEND, "A")]
    refused = for_initiator(definition(tmp_path, "iCONNECT\nI8=FIXT.1.1|35=0|\neDISCONNECT\n")).steps
    assert [step.action for step in refused] == [
        Action.AWAIT_CONNECT,
        Action.EXPECT,
        Action.SEND,
        Action.AWAIT_DISCONNECT,
    ]


def test_header_and_trailer_are_added_to_sent_messages() -> None:
    frame = to_wire(soh("8=FIXT.1.1|35=0|52=<TIME+10>|60=<TIME>|"))
    assert frame_fault(frame) is None
    times = re.findall(rb"=\d{8}-(\d\d):(\d\d):(\d\d)\x01", frame)
    sent, later = (3600 * int(h) + 60 * int(m) + int(s) for h, m, s in reversed(times))
    assert (later - sent) % 86400 == 10


def test_intentionally_wrong_fields_are_sent_unchanged() -> None:
    assert to_wire(soh("8=FIXT.1.1|9=5|35=0|")).startswith(b"8=FIXT.1.1\x019=5\x0135=0\x0110=")
    assert to_wire(soh("8=FIXT.1.1|35=0|10=256|")) == b"8=FIXT.1.1\x019=5\x0135=0\x0110=256\x01"
    assert to_wire(soh("35=0|8=FIXT.1.1|")) == b"35=0\x018=FIXT.1.1\x01"


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        ("8=FIXT.1.1|9=5|35=0|10=241|", None),
        ("8=FIXT.1.1|9=6|35=0|10=241|", "BodyLength is 6, expected 5"),
        ("8=FIXT.1.1|9=5|35=0|10=164|", "CheckSum is 164, expected 241"),
        ("8=FIXT.1.1|35=0|10=164|", "not a FIX message"),
    ],
)
def test_header_and_trailer_of_received_messages_are_checked(frame: str, complaint: str | None) -> None:
    assert frame_fault(soh(frame).encode()) == complaint


EXPECTED = "8=FIXT.1.1|9=1|35=3|34=2|52=00000000-00:00:00.000|45=2|58=why|371=5|10=0|"
TIME = "20261121-10:00:00.123"


@pytest.mark.parametrize(
    ("actual", "complaint"),
    [
        (f"8=FIXT.1.1|9=9|35=3|34=2|52={TIME}|371=5|45=2|58=other words|10=111|", None),
        (f"8=FIXT.1.1|9=9|35=3|34=3|52={TIME}|45=2|58=w|371=5|10=111|", "missing 34=2, unexpected 34=3"),
        (f"8=FIXT.1.1|9=9|35=3|34=2|52={TIME}|45=2|371=5|10=111|", "missing 58=text, unexpected nothing"),
        (
            f"8=FIXT.1.1|9=9|35=3|34=2|52={TIME}|45=2|45=2|58=w|371=5|10=1|",
            "missing nothing, unexpected 45=2",
        ),
        ("8=FIXT.1.1|9=9|35=3|34=2|52=now|45=2|58=w|371=5|10=1|", "missing 52=time, unexpected 52=now"),
        (
            f"8=FIXT.1.1|9=9|35=3|52={TIME}|34=2|45=2|58=w|371=5|10=1|",
            "header in the order [8, 35, 52, 34], expected [8, 35, 34, 52]",
        ),
        (
            f"8=FIXT.1.1|9=9|35=3|34=2|45=2|52={TIME}|58=w|371=5|10=1|",
            "header fields follow body fields",
        ),
    ],
)
def test_all_properties_except_body_order_and_text_are_compared(actual: str, complaint: str | None) -> None:
    assert difference(soh(EXPECTED), soh(actual)) == complaint


@pytest.mark.parametrize("role", ["acceptor", "initiator"])
def test_the_examples_follow_a_definition(role: str, tmp_path: Path) -> None:
    script = definition(tmp_path, SESSION)
    engine: Engine = AcceptorEngine() if role == "acceptor" else InitiatorEngine("30")
    with closing(engine):
        play(script if role == "acceptor" else for_initiator(script), engine.connect)


def test_a_failure_names_the_line_and_shows_both_messages(tmp_path: Path) -> None:
    wrong = definition(tmp_path, f"iCONNECT\nI{LOGON}\nE{ANSWER.replace('108=30', '108=31')}\n")
    with closing(AcceptorEngine()) as engine, pytest.raises(Failure) as caught:
        play(wrong, engine.connect)
    text = str(caught.value)
    assert text.startswith("made-up:3: missing 108=31, unexpected 108=30\n  expected 8=FIXT.1.1|35=A|")
    assert "\n  received 8=FIXT.1.1|9=68|35=A|34=1|49=ISLD|52=" in text
