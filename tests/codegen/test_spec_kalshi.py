"""Consistency of the Kalshi spec. `python -m codegen diff` compares the spec with the venue's pages."""

from __future__ import annotations

import re
from pathlib import Path

from codegen import model
from codegen.read.resolve import load_dialect
from kalshi_fix_sansio import (
    MarketDataRequest,
    MultivariateSelectedLeg,
    OrderGroupRequest,
    QuoteRequest,
    SecurityStatusRequest,
)
from kalshi_fix_sansio.dialect.layout import Sender
from kalshi_fix_sansio.validation import validate

SPEC = Path(__file__).resolve().parents[2] / "spec" / "kalshi"


GROUP = "0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c11"


def messages_and_groups(dialect: model.Dialect) -> list[model.Message | model.Group]:
    return [*dialect.messages, *dialect.groups]


def test_every_amount_has_a_unit(kalshi: model.Dialect) -> None:
    assert [
        field.name for field in kalshi.fields if field.datatype.kind == "DECIMAL" and not field.unit
    ] == []


def test_every_field_is_used(kalshi: model.Dialect) -> None:
    used = {item.field.name for item in (*kalshi.header, *kalshi.trailer)}
    for block in messages_and_groups(kalshi):
        used |= {member.field.name for member in block.members}
    used |= {field.length_field for field in kalshi.fields if field.length_field is not None}
    assert {field.name for field in kalshi.fields} == used


def test_docs_are_sentences(kalshi: model.Dialect) -> None:
    docs = [field.doc for field in kalshi.fields]
    docs += [block.doc for block in messages_and_groups(kalshi)]
    docs += [member.doc for block in messages_and_groups(kalshi) for member in block.members]
    docs += [code.doc for codeset in kalshi.codesets for code in codeset.codes]
    assert [doc for doc in docs if not re.match(r"[A-Z].*\.\Z", doc) or "  " in doc] == []


def test_other_dialects_can_extend_the_base(tmp_path: Path) -> None:
    """A folder that extends fixt11 and declares its versions is a dialect without products or sessions."""
    base = SPEC.parent / "fixt11"
    (tmp_path / "manifest.yaml").write_text(
        f"name: plain\ntitle: Plain\nextends: {base.as_posix()}\nappl_ver_id: 9\nsources: {{}}\n"
    )
    plain = load_dialect(tmp_path)
    assert [message.name for message in plain.messages] == [
        "Logon",
        "Heartbeat",
        "TestRequest",
        "ResendRequest",
        "Reject",
        "SequenceReset",
        "Logout",
    ]
    assert all(message.flows == () and message.admin for message in plain.messages)
    (heartbeat,) = (field for field in plain.fields if field.name == "HeartBtInt")
    assert heartbeat.minimum == 0


def test_every_constructor_creates_a_message_that_the_client_may_send(kalshi: model.Dialect) -> None:
    """No message has problems if a client sends it on the first session type of its flows."""
    messages = {
        "MarketDataRequest.snapshot": MarketDataRequest.snapshot("A", "B"),
        "MarketDataRequest.subscribe": MarketDataRequest.subscribe("A"),
        "MarketDataRequest.unsubscribe": MarketDataRequest.unsubscribe("A", "B"),
        "MarketDataRequest.unsubscribe_all": MarketDataRequest.unsubscribe_all(),
        "SecurityStatusRequest.subscribe": SecurityStatusRequest.subscribe("A"),
        "SecurityStatusRequest.unsubscribe": SecurityStatusRequest.unsubscribe("A"),
        "OrderGroupRequest.create": OrderGroupRequest.create(100, alloc_account=3, ex_destination=0),
        "OrderGroupRequest.update": OrderGroupRequest.update(GROUP, order_group_contracts_limit=7),
        "OrderGroupRequest.reset": OrderGroupRequest.reset(GROUP, alloc_account=3),
        "OrderGroupRequest.trigger": OrderGroupRequest.trigger(GROUP),
        "OrderGroupRequest.delete": OrderGroupRequest.delete(GROUP),
        "QuoteRequest.for_market": QuoteRequest.for_market(
            quote_req_id="q", symbol="A", order_qty="10.5", rest_remainder=True, replace_existing=False
        ),
        "QuoteRequest.for_combination": QuoteRequest.for_combination(
            quote_req_id="q",
            multivariate_collection_ticker="C",
            multivariate_selected_legs=[
                MultivariateSelectedLeg(
                    multivariate_selected_event_ticker="E",
                    multivariate_selected_market_ticker="M",
                    multivariate_selected_side="yes",
                )
            ],
            cash_order_qty=100,
        ),
    }
    assert set(messages) == {
        f"{item.name}.{each.name}" for item in kalshi.messages for each in item.constructors
    }
    for name, message in messages.items():
        layout = message.MESSAGE
        session = layout.flows[0].sessions[0]
        problems = validate(message, layout, product="prediction", session=session, sender=Sender.CLIENT)
        assert problems == (), name
    assert messages["MarketDataRequest.unsubscribe_all"] != messages["MarketDataRequest.unsubscribe"]


SEARCHED_FOLDERS = ("adapters", "examples", "fuzz", "interop", "src", "tests")
ALLOWED_PARTS = ("_generated", "codegen", "fix50sp2", "fixt", "quickfix_before.py")
"""Generated folders, folders that handle specs, and a program for another engine."""


def test_no_other_module_contains_a_tag_of_the_venue(kalshi: model.Dialect) -> None:
    """The venue may renumber its own tags, as it did with SkipPendingExecReports. The standard reserves 5000
    and above for such tags."""
    own = {str(field.tag) for field in kalshi.fields if field.tag >= 5000}
    assert own
    number = re.compile(r"(?<![\w.])\d{4,6}(?![\w.])|(?<=x01)\d{4,6}(?==)")
    root = SPEC.parents[1]
    files = [
        path
        for folder in SEARCHED_FOLDERS
        for path in (root / folder).rglob("*")
        if path.suffix in (".py", ".yaml") and not set(path.relative_to(root).parts) & set(ALLOWED_PARTS)
        if not path.name.startswith("test_kalshi_")  # these handle the spec
    ]
    assert len(files) > 300
    found = [
        f"{path.relative_to(root)}:{line}"
        for path in files
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if own.intersection(number.findall(text))
    ]
    assert found == []
