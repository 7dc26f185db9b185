"""Every dialogue in this folder, played against a venue in memory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.venue.dialogues.dialogue import Dialogue, Play, load
from tests.venue.dialogues.venues import venue

FILES = [path for path in sorted(Path(__file__).parent.glob("*.yaml")) if path.stem != "order_texts"]


@pytest.mark.parametrize(
    "dialogue",
    [pytest.param(item, id=f"{path.stem}-{item.name}") for path in FILES for item in load(path)],
)
def test_a_dialogue_has_the_expected_messages(dialogue: Dialogue) -> None:
    Play(dialogue, venue(dialogue.venue), dict(dialogue.names)).run()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("ann > request r1\nann < -", "receives QuoteRequestAck"),
        ("ann > request r1\nann < QuoteRequestReject", "receives QuoteRequestAck"),
        ("ann > request r1\nann < QuoteRequestAck ; QuoteRequestAck", "receives QuoteRequestAck"),
        ("ann > request r1\nann < QuoteRequestAck QuoteReqID=r2", "not QuoteReqID=r2"),
        ("ann > request r1\nann < QuoteRequestAck QuoteReqID!=r1", "not QuoteReqID!=r1"),
        ("ann > request r1\nann < QuoteRequestAck QuoteReqID=~q", "not QuoteReqID=~q"),
        ("ann > request r1\nann < QuoteRequestAck QuoteReqID=-", "not QuoteReqID=-"),
        ("ann > request r1\nann < QuoteRequestAck QuoteReqID=r1,r1", "not QuoteReqID=r1,r1"),
        ("ann > request r1\nann < QuoteRequestAck Text=x", "there is no Text"),
        ("ann > request r1\nann < QuoteRequestAck Text=$x", "there is no Text"),
        (
            (
                "ann > request r1\nann < QuoteRequestAck RfqId=$one\n"
                "ann > request r1 Symbol=$OTHER\nann < *\nsilent ann"
            ),
            "",
        ),
        ("ann > request r1 5\nbob < QuoteRequest OrderQty==5", "not OrderQty==5"),
        ("ann sings", "unknown action of ann"),
        ("position ann 1", "0"),
        ("bids 1@0.40", "[]"),
        ("next-timer 5", "None"),
    ],
)
def test_a_dialogue_with_a_different_result_fails(tmp_path: Path, lines: str, problem: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({"setup": "rfq", "wrong": f"bob < -\n{lines}"}), "utf-8")
    (dialogue,) = load(path)
    play = Play(dialogue, venue(dialogue.venue), dict(dialogue.names))
    if not problem:
        play.run()
        return
    with pytest.raises(AssertionError, match=re.escape(problem)):
        play.run()
