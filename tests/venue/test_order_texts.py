"""Every Text (58) that the spec lists for execution reports (8) and cancel rejects (9), over real
sessions.

A Text that is new in the spec fails here until a dialogue in order_texts.yaml produces it, or until it is
listed in `PRODUCED_BY_OTHER_TESTS` with the test that produces it or in `NOT_PRODUCED` with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from kalshi_fix_sansio import TEXTS, ExecType, ExecutionReport, OrderCancelReject
from tests.venue.dialogues.dialogue import Dialogue, Play, load
from tests.venue.dialogues.venues import venue

ROOT = Path(__file__).resolve().parents[2]
DIALOGUES: Mapping[tuple[str, str], Dialogue] = {
    (msg_type, text): dialogue
    for dialogue in load(Path(__file__).parent / "dialogues" / "order_texts.yaml")
    for msg_type, text in [dialogue.name.split()]
}
PRODUCED_BY_OTHER_TESTS: Mapping[tuple[str, str], str] = {
    ("8", "EXPIRED"): "tests/venue/dialogues/rfq_creators.yaml::an_order_for_a_quote_that_has_ended_is_stale",
}
"""Texts that another test produces."""
NOT_PRODUCED: Mapping[tuple[str, str], str] = {}
"""Texts that the simulated venue does not send, with the reasons."""
EXPECTED = [key for key in TEXTS if key[0] in (ExecutionReport.MSG_TYPE, OrderCancelReject.MSG_TYPE)]


def test_every_text_of_the_spec_is_produced_or_listed_as_not_produced() -> None:
    assert sorted([*DIALOGUES, *PRODUCED_BY_OTHER_TESTS, *NOT_PRODUCED]) == sorted(EXPECTED)
    for name in PRODUCED_BY_OTHER_TESTS.values():
        path, _, dialogue = name.partition("::")
        assert f"\n{dialogue}:" in (ROOT / path).read_text("utf-8")
    assert all(NOT_PRODUCED.values())


@pytest.mark.parametrize(("msg_type", "text"), DIALOGUES, ids=lambda part: part)
def test_a_text_is_sent_with_the_documented_code(msg_type: str, text: str) -> None:
    dialogue = DIALOGUES[msg_type, text]
    play = Play(dialogue, venue(dialogue.venue), dict(dialogue.names))
    play.run()
    clients = [play.clients[name] for name in ("ann", "capped") if name in play.clients]
    received = [message for client in clients for message in client.take()]
    texts = [(message.MSG_TYPE, getattr(message, "text", None)) for message in received]
    assert texts.count((msg_type, text)) == 1
    found = received[texts.index((msg_type, text))]
    code = TEXTS[msg_type, text].code
    if isinstance(found, OrderCancelReject):
        assert found.cxl_rej_reason == code
    else:
        assert isinstance(found, ExecutionReport)
        assert code == (found.ord_rej_reason if found.exec_type == ExecType.REJECTED else found.exec_type)
