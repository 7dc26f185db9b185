from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.wire import LOG, log_messages
from kalshi_fix_adapters.cli.logs.explain import _all_checks, explain
from kalshi_fix_adapters.cli.logs.render import json_fields, lines
from kalshi_fix_adapters.cli.logs.units import Units
from kalshi_fix_adapters.logs.dates import DatedDecoder
from kalshi_fix_adapters.logs.reader import MAX_MESSAGE, LogReader
from kalshi_fix_sansio import DIALECT, TEXTS, decode_strict
from kalshi_fix_sansio.dialect.layout import BlockLayout, FieldMember
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.validation import validate
from tests.adapters.cli.every_message import KEY, SYMBOL, example_messages
from tests.adapters.cli.runner import invoke
from tests.helpers import tag_of

HOSTILE = (
    b"|",
    b"=",
    b"|9=1|",
    b"|9=-1|",
    b"|35=D|",
    b"|35=UMS|",
    b"|35=W|",
    b"|35=A|",
    b"1",
    b"-1",
    b"99999999999999999999",
    b"NaN",
    b"\xff",
    b"\x00",
    b"|268=2|269=0|",
    b"|146=999999999|",
    b"|1703=1|",
    b"|0=1|",
    b"|10=123|",
    b"|49=KalshiNR",
    b"|56=KalshiRT",
    b"|453=1|448=x|",
    b"|95=5|96=a",
)
HEAD = b"35=D|34=2|49=%s|56=KalshiNR|52=20260817-16:00:00.000|" % KEY.encode()
BODY = b"11=a1|38=10|40=2|44=0.75|54=1|55=%s|" % SYMBOL.encode()


DOLLARS = b"%d" % tag_of("UseDollars")


def message(body: bytes = BODY, head: bytes = HEAD) -> bytes:
    return encode_frame("FIXT.1.1", (head + body).replace(b"|", b"\x01")).replace(b"\x01", b"|")


run = partial(invoke, "decode")


def objects(log: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("--json", stdin=log, status=None).stdout.splitlines()]


# --- every message


def test_the_log_with_every_message_is_up_to_date_and_valid() -> None:
    assert {example.MSG_TYPE for *_, example in example_messages()} == set(DIALECT.messages)
    for (product, session, sender, example), frame in zip(example_messages(), log_messages(), strict=True):
        layout = type(example).MESSAGE
        assert validate(example, layout, product=product, session=session, sender=sender) == ()
        assert decode_strict(frame) == example


def test_every_message_is_decoded_without_problems() -> None:
    result = run("--full", LOG)
    assert result.stderr == ""
    for layout in DIALECT.messages.values():
        assert f"{layout.name} (35={layout.msg_type})" in result.stdout
    assert "!" not in result.stdout


def expected_fields(block: Any) -> dict[str, Any]:
    """Return the JSON output expected for the members of a typed block, computed from its encoding."""
    layout: BlockLayout = block.LAYOUT
    shown: dict[str, Any] = {}
    encoded = dict(field.split("=", 1) for field in layout.encode(block).split("\x01") if field)
    for member in layout.members:
        if not isinstance(member, FieldMember):
            entries = getattr(block, member.attribute)
            if str(member.tag) in encoded:
                shown[member.name] = [expected_fields(entry) for entry in entries]
        elif str(member.tag) in encoded:
            shown[member.name] = "<hidden>" if member.field.secret else encoded[str(member.tag)]
    return shown


def test_json_agrees_with_the_messages() -> None:
    found = objects(LOG.read_bytes())
    assert len(found) == len(example_messages())
    for shown, (*_, example), frame in zip(found, example_messages(), log_messages(), strict=True):
        assert list(shown) == [
            *("line", "time", "direction", "connection", "msg_type", "name", "fields", "problems")
        ]
        assert (shown["msg_type"], shown["name"]) == (example.MSG_TYPE, example.NAME)
        assert shown["problems"] == []
        fields = shown["fields"]
        decoded = decode_strict(frame)
        envelope = expected_fields(decoded.header) | {
            "BeginString": "FIXT.1.1",
            "BodyLength": str(decoded.header.body_length),
            "MsgType": example.MSG_TYPE,
            "CheckSum": decoded.trailer.check_sum,
        }
        lengths = {name: value for name, value in fields.items() if name.endswith("DataLength")}
        assert fields == expected_fields(example) | envelope | lengths


def test_nested_groups_are_arrays_of_objects() -> None:
    [settled] = [found for found in objects(LOG.read_bytes()) if found["msg_type"] == "UMS"]
    [party] = settled["fields"]["NoMarketSettlementPartyIDs"]
    assert party["MarketSettlementPartyID"] == "account-456"
    assert party["NoMiscFees"] == [
        {"MiscFeeAmt": "0.006", "MiscFeeCurr": "USD", "MiscFeeType": "4", "MiscFeeBasis": "0"}
    ]


# --- readable output


def test_a_message_is_shown_with_names_and_units() -> None:
    shown = run("--full", stdin=b"12:00 sent " + message() + b"\n").stdout
    words = [" ".join(line.split()) for line in shown.splitlines()]
    assert words[0] == "line 1: NewOrderSingle (35=D), sent"
    assert "OrderQty (38) 10 contracts" in words
    assert "Side (54) 1 (BUY)" in words
    assert "Price (44) 0.75" in words
    assert "MsgType (35) D (NewOrderSingle)" in words


def test_a_logon_determines_the_unit_of_prices() -> None:
    ids = b"34=1|49=%s|56=KalshiNR|52=20260817-16:00:00|" % KEY.encode()
    dollars, cents = (
        message(b"98=0|108=30|95=1|96=x|1137=9|141=Y|" + flag, head=b"35=A|" + ids)
        for flag in (DOLLARS + b"=Y|", b"")
    )
    assert "0.75 dollars\n" in run("--full", stdin=dollars + message()).stdout
    assert "0.75 cents\n" in run("--full", stdin=dollars + cents + message()).stdout


def test_groups_are_indented() -> None:
    lines = run("--full", LOG).stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if "NoMarketSettlementPartyIDs" in line)
    party, inner = lines[at + 1], next(line for line in lines[at:] if "CollateralAmountChange " in line)
    assert party == "    entry 1"
    assert inner.startswith(" " * 10 + "CollateralAmountChange (1704)")
    assert inner.endswith(" dollars")


@pytest.mark.parametrize("form", [(), ("--full",), ("--json",)])
def test_no_secret_field_of_a_logon_is_shown(form: tuple[str, ...]) -> None:
    members = DIALECT.messages["A"].body.members
    secrets = [member.field for member in members if isinstance(member, FieldMember) and member.field.secret]
    assert {field.name for field in secrets} >= {"RawData", "Password", "NewPassword", "EncryptedPassword"}
    body = "".join(
        f"{field.length_tag}=9|{field.tag}=topsecret|" if field.length_tag else f"{field.tag}=topsecret|"
        for field in secrets
    )
    log = message(body.encode(), HEAD.replace(b"35=D", b"35=A"))
    output = run(*form, "-", stdin=log, status=1).stdout
    assert "topsecret" not in output
    assert output.count("<hidden>") == len(secrets)
    shown = run(*form, LOG).stdout
    assert ("bm90IGEg" in shown, shown.count("<hidden>")) == (False, 1)
    damaged = b"8=FIXT.1.1|35=A|96=topsecret|96=topsecret|554=topsecret|554=topsecret|10=1|"
    assert "topsecret" not in run(*form, stdin=damaged, status=1).stdout


def test_control_characters_cannot_reach_the_terminal() -> None:
    evil = message(BODY + b"30001=\x1b[2J\x07|")
    output = run(stdin=evil, status=1).stdout
    assert "\x1b" not in output
    assert "\\x1b[2J\\x07" in output


# --- problems


LOGON = b"98=0|108=30|1137=9|"
LOGON_HEAD = b"35=A|34=1|49=%b|56=%b|52=20260817-16:00:00|"
ID = KEY.encode()
REPORT_HEAD = HEAD.replace(b"35=D", b"35=8").replace(b"49=%b|56=KalshiNR" % ID, b"49=KalshiNR|56=%b" % ID)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (message(), []),
        (
            message().replace(b"9=143|", b"9=7|", 1),
            ["BodyLength (9) is '7', expected 143", "CheckSum (10) is '164', expected 067"],
        ),
        (message()[:-4] + b"999|", ["CheckSum (10) is '999', expected 164"]),
        (b"8=FIXT.1.1|" + HEAD + BODY, ["BodyLength (9) is missing", "CheckSum (10) is missing"]),
        (message(BODY.replace(b"54=1|", b"")), ["Side (54) is missing"]),
        # The value of another field requires this field.
        (message(BODY + b"59=6|"), ["ExpireTime (126) is required when TimeInForce (59) is 6"]),
        # The CompIDs determine the session type and the sender, and so which fields are required.
        (
            message(LOGON, LOGON_HEAD % (ID, b"KalshiNR")),
            ["RawData (96) is required", "ResetSeqNumFlag (141) is required"],
        ),
        (message(LOGON, LOGON_HEAD % (ID, b"KalshiRT")), ["RawData (96) is required"]),
        (message(LOGON, LOGON_HEAD % (b"KalshiNR", ID)), []),
        (message(LOGON, LOGON_HEAD % (b"Kalshi", ID)), []),
        (message(LOGON, LOGON_HEAD % (b"me", b"you")), []),
        # Only one of the products requires TransactTime.
        (message(b"37=o|11=a|17=1;1|150=0|39=0|54=1|55=K|38=0|151=0|14=0|6=0|", REPORT_HEAD), []),
    ],
)
def test_the_problems_of_a_message_are_reported(log: bytes, expected: list[str]) -> None:
    assert [found["problems"] for found in objects(log)] == [expected]
    run(stdin=log, status=1 if expected else 0)


@pytest.mark.parametrize(
    ("log", "msg_type", "name", "field", "problem"),
    [
        (message(BODY + b"333333=test|"), "D", "NewOrderSingle", "333333", "tag 333333 is not defined"),
        (message(b"11=test|", HEAD.replace(b"35=D", b"35=ZZ")), "ZZ", None, "ClOrdID", "MsgType (35) 'ZZ'"),
        (b"8=FIXT.1.1|34=5|11=test|", None, None, "ClOrdID", "MsgType (35) is missing"),
        (b"8=FIXT.1.1|35=5|58=test|354=" + b"x" * MAX_MESSAGE, "5", "Logout", "Text", "does not end within"),
    ],
)
def test_the_fields_of_unknown_tags_and_message_types_are_shown(
    log: bytes, msg_type: str | None, name: str | None, field: str, problem: str
) -> None:
    [found] = objects(log)
    assert (found["msg_type"], found["name"], found["fields"][field]) == (msg_type, name, "test")
    assert problem in "; ".join(found["problems"])


def test_a_known_text_is_explained_in_the_messages_that_can_contain_it() -> None:
    (msg_type, text), output = next(iter(TEXTS.items()))
    other = next(item for item in DIALECT.messages if (item, text) not in TEXTS)
    for kind, shown in ((msg_type, f" {text} ({output.meaning})"), (other, f" {text}"), ("ZZ", f" {text}")):
        head = HEAD.replace(b"35=D", f"35={kind}".encode())
        lines = run(
            "--full", stdin=message(b"58=" + text.encode() + b"|", head), status=1
        ).stdout.splitlines()
        assert next(line for line in lines if "Text (58)" in line or "tag 58" in line).endswith(shown)
        assert objects(message(b"58=" + text.encode() + b"|", head))[0]["fields"]["Text"] == text
    unknown = message(b"58=SOMETHING_ELSE|", HEAD.replace(b"35=D", f"35={msg_type}".encode()))
    assert "SOMETHING_ELSE\n" in run("--full", stdin=unknown, status=1).stdout


def test_checks_are_not_cached_for_each_comp_id() -> None:
    _all_checks.cache_clear()
    valid = [message(head=HEAD.replace(KEY.encode(), b"key-%d" % number)) for number in range(20)]
    damaged = [each[:-4] + b"999|" for each in valid]
    assert len(run("--json", stdin=b"".join(valid + damaged), status=1).stdout.splitlines()) == 40
    assert _all_checks.cache_info().currsize == 1


def test_messages_after_a_bad_one_are_decoded() -> None:
    log = b"8=FIXT.1.1|35=D|junk|=|44=x|\n\n" + message() + b"8=FIXT.1.1|9=5|35=??|10=000|" + message()
    assert [found["msg_type"] for found in objects(log)] == ["D", "D", "??", "D"]
    assert [bool(found["problems"]) for found in objects(log)] == [True, False, True, False]
    run(stdin=log, status=1)


@given(
    st.lists(st.sampled_from([*HOSTILE, *(b"%d=" % tag for tag in DIALECT.fields)]), max_size=40).map(
        b"".join
    )
)
def test_junk_in_a_message_does_not_stop_the_reader(junk: bytes) -> None:
    for found in LogReader().feed(b"8=FIXT.1.1|" + junk + b"\n\n"):
        explanation = explain(found, DatedDecoder())
        json.dumps(json_fields(explanation.inspection))
        assert list(lines(explanation, Units()))


# --- files


def test_standard_input_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "fix.log"
    path.write_bytes(message())
    assert run(path).stdout == run(stdin=message()).stdout == run("-", stdin=message()).stdout
