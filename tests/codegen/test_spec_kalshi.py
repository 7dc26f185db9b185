"""The Kalshi spec says what the venue's documents say.

The facts stand in kalshi_facts.py a second time, so that a slip of the hand in the YAML does not pass for a
revision. A row of PLACES is: message, sender, sessions, product, and the tags that may stand there; Y marks
the required ones and braces a group. Rows that fit the same place add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product as every
from pathlib import Path

import pytest

from codegen import model
from codegen.resolve import load_dialect
from tests.codegen.kalshi_facts import CODES, PLACES, TYPES, UNITS

SPEC = Path(__file__).resolve().parents[2] / "spec" / "kalshi"

Place = tuple[str, str, str]


@pytest.fixture(scope="module")
def kalshi() -> model.Dialect:
    return load_dialect(SPEC)


def message(dialect: model.Dialect, msg_type: str) -> model.Message:
    return next(each for each in dialect.messages if each.msg_type == msg_type)


def member(dialect: model.Dialect, msg_type: str, tag: int) -> model.Member:
    return next(each for each in message(dialect, msg_type).members if each.field.tag == tag)


def group(dialect: model.Dialect, name: str) -> model.Group:
    return next(each for each in dialect.groups if each.name == name)


def owners(dialect: model.Dialect) -> list[model.Message | model.Group]:
    return [*dialect.messages, *dialect.groups]


def all_places(dialect: model.Dialect) -> Iterator[Place]:
    for session in dialect.session_types:
        for product, sender in every(session.products, ("client", "venue")):
            yield product, session.name.removeprefix("Kalshi"), sender


def expected(msg_type: str, place: Place) -> dict[str, str] | None:
    """Presence by path of tags, or None where the message may not be sent."""
    product, session, sender = place
    found: dict[str, str] | None = None
    for row in PLACES.strip().splitlines():
        kind, who, where, what, tags = row.split(None, 4)
        fits = kind == msg_type and who in ("any", sender) and what in ("both", product)
        if fits and (where == "all" or session in where.split(",")):
            found = (found or {}) | written(tags)
    return found


def written(tags: str) -> dict[str, str]:
    found: dict[str, str] = {}
    path: list[str] = []
    tag = ""
    for part in re.findall(r"\d+Y?|[{}]", tags):
        if part == "{":
            path.append(tag)
        elif part == "}":
            path.pop()
        else:
            tag = part.rstrip("Y")
            found["/".join([*path, tag])] = "required" if part.endswith("Y") else "optional"
    return found


def covers(scope: model.Scope, place: Place) -> bool:
    product, session, sender = place
    return (
        (not scope.products or product in scope.products)
        and (not scope.sessions or f"Kalshi{session}" in scope.sessions)
        and scope.sender in (None, sender)
    )


def presences(members: Sequence[model.Member], place: Place, path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for each in members:
        presence = each.presence.replace("constant", "required")
        for rule in each.rules:
            if covers(rule.scope, place):
                presence = rule.presence
        if presence != "forbidden":
            found[f"{path}{each.field.tag}"] = presence
            if each.group is not None:
                found |= presences(each.group.members, place, f"{path}{each.field.tag}/")
    return found


def test_the_forty_messages(kalshi: model.Dialect) -> None:
    rows = {row.split()[0] for row in PLACES.strip().splitlines()}
    assert {each.msg_type for each in kalshi.messages} == rows
    assert len(kalshi.messages) == 40
    assert {each.msg_type for each in kalshi.messages if each.admin} == set("A012345")


@pytest.mark.parametrize("msg_type", sorted({row.split()[0] for row in PLACES.strip().splitlines()}))
def test_what_may_stand_where(kalshi: model.Dialect, msg_type: str) -> None:
    found = message(kalshi, msg_type)
    for place in all_places(kalshi):
        flows = not found.flows or any(covers(flow, place) for flow in found.flows)
        assert (presences(found.members, place) if flows else None) == expected(msg_type, place), place


def test_values_of_coded_fields(kalshi: model.Dialect) -> None:
    rows = [entry.split() for line in CODES.strip().splitlines() for entry in line.split("|")]
    wanted = {int(tag): set(values) for tag, *values in rows}
    found = {
        each.tag: {code.value for code in each.codeset.codes}
        for each in kalshi.fields
        if each.codeset is not None
    }
    assert found == wanted


def test_every_codeset_is_open(kalshi: model.Dialect) -> None:
    assert [each.name for each in kalshi.codesets if not each.open] == []


def test_types(kalshi: model.Dialect) -> None:
    wanted = {int(tag): row.split()[0] for row in TYPES.strip().splitlines() for tag in row.split()[1:]}
    assert {
        each.tag: each.datatype.name for each in kalshi.fields if each.datatype.name != "STRING"
    } == wanted


def test_units(kalshi: model.Dialect) -> None:
    rows = [row.partition(":") for row in UNITS.strip().splitlines()]
    wanted = {int(tag): unit for unit, _, tags in rows for tag in tags.split()}
    assert {each.tag: each.unit for each in kalshi.fields if each.unit is not None} == wanted


def test_every_amount_has_a_unit(kalshi: model.Dialect) -> None:
    assert [each.name for each in kalshi.fields if each.datatype.kind == "DECIMAL" and not each.unit] == []


def test_header_and_trailer(kalshi: model.Dialect) -> None:
    order = [8, 9, 35, 49, 56, 34, 52, 43, 97, 122, 50, 142, 57, 143, 115, 128, 1128, 1129]
    assert [each.field.tag for each in kalshi.header] == order
    assert [each.presence for each in kalshi.header] == ["required"] * 7 + ["optional"] * 11
    (orig,) = (each for each in kalshi.header if each.field.tag == 122)
    assert orig.required_when == (model.Condition((("PossDupFlag", ("Y",)),)),)
    assert [(each.field.tag, each.presence) for each in kalshi.trailer] == [
        (89, "optional"),
        (10, "required"),
    ]


def test_data_fields_and_secrets(kalshi: model.Dialect) -> None:
    lengths = {each.name: each.length_field for each in kalshi.fields if each.length_field}
    assert lengths == {"RawData": "RawDataLength", "Signature": "SignatureLength"}
    assert {each.tag for each in kalshi.fields if each.secret} == {89, 96, 554}


def test_bounds(kalshi: model.Dialect) -> None:
    found = {each.tag: (each.minimum, each.maximum) for each in kalshi.fields}
    assert {tag: bounds for tag, bounds in found.items() if bounds != (None, None)} == {
        79: (0, 63),
        108: (3, None),
        20132: (1, 1_000_000),
        20200: (1, 72),
    }
    (order_id,) = (each for each in kalshi.fields if each.tag == 11)
    assert order_id.max_length == 64
    assert order_id.pattern is not None
    for good in ("550e8400-e29b-41d4-a716-446655440000", "A+b=_-:/9"):
        assert re.fullmatch(order_id.pattern, good)
    for bad in ("", "a b", "a.b", "é", "x" * 65):
        assert not re.fullmatch(order_id.pattern, bad)


@pytest.mark.parametrize(
    ("name", "delimiters", "minimum", "maximum"),
    [
        ("Parties", [448], 1, 1),
        ("MiscFeesGrp", [137], 1, None),
        ("CollateralAmountChanges", [1704], 1, None),
        ("MDReqGrp", [55], 1, None),
        ("MDFullGrp", [269], 0, None),
        ("MDIncGrp", [279], 1, None),
        ("MarketSettlementPartyIDs", [20109], 1, None),
        ("QuoteRequestSymbols", [55, 38, 152], 1, 1),
        ("MultivariateSelectedLegs", [20182], 1, None),
        ("MVEOffendingLegs", [20186], 1, None),
    ],
)
def test_groups(
    kalshi: model.Dialect, name: str, delimiters: list[int], minimum: int, maximum: int | None
) -> None:
    found = group(kalshi, name)
    assert [each.tag for each in found.delimiters] == delimiters
    assert (found.minimum, found.maximum) == (minimum, maximum)


@pytest.mark.parametrize(
    ("msg_type", "tag", "required", "forbidden"),
    [
        ("D", 126, [{"TimeInForce": ("6",)}], []),
        ("8", 31, [{"ExecType": ("F",)}], []),
        ("8", 32, [{"ExecType": ("F",)}], []),
        ("8", 103, [{"ExecType": ("8",)}], []),
        ("UOG", 20130, [{"OrderGroupAction": ("2", "3", "4", "5")}], [{"OrderGroupAction": ("1",)}]),
        ("UOG", 20132, [{"OrderGroupAction": ("1", "5")}], []),
        ("V", 146, [{"SubscriptionRequestType": ("0", "1")}], []),
        ("UB", 21023, [{"RFQCancelStatus": ("2",)}], []),
        ("A", 8013, [], [{"ListenerSession": ("Y",), "CancelOrdersOnDisconnect": ("Y",)}]),
        (
            "A",
            21011,
            [{"ListenerSession": ("Y",)}],
            [{"ListenerSession": ("Y",), "SkipPendingExecReports": ("N",)}],
        ),
    ],
)
def test_conditions(
    kalshi: model.Dialect,
    msg_type: str,
    tag: int,
    required: list[dict[str, tuple[str, ...]]],
    forbidden: list[dict[str, tuple[str, ...]]],
) -> None:
    found = member(kalshi, msg_type, tag)
    assert [dict(each.terms) for each in found.required_when] == required
    assert [dict(each.terms) for each in found.forbidden_when] == forbidden


def test_rules_over_several_members(kalshi: model.Dialect) -> None:
    assert {
        (each.name, rule.mode, rule.names, rule.scope.sender)
        for each in owners(kalshi)
        for rule in each.one_of
    } == {
        ("NewOrderSingle", "at_most_one", ("NoPartyIDs", "AllocAccount"), None),
        ("OrderCancelReplaceRequest", "at_most_one", ("NoPartyIDs", "AllocAccount"), None),
        ("OrderCancelRequest", "at_most_one", ("NoPartyIDs", "AllocAccount"), None),
        ("QuoteRequestSymbols", "exactly_one", ("OrderQty", "CashOrderQty"), "client"),
        ("Quote", "at_least_one", ("BidPx", "OfferPx"), None),
        ("RFQCancel", "exactly_one", ("QuoteReqID", "RfqId"), None),
    }


def test_what_moved_is_read_under_both_tags(kalshi: model.Dialect) -> None:
    found = {
        (each.msg_type, m.field.tag): [old.tag for old in m.legacy_fields]
        for each in kalshi.messages
        for m in each.members
        if m.legacy_fields
    }
    assert found == {("A", 21011): [21003], ("U8", 21010): [297]}


def test_constants_and_defaults_of_the_logon(kalshi: model.Dialect) -> None:
    logon = {each.field.tag: each for each in message(kalshi, "A").members}
    assert {tag: each.constant for tag, each in logon.items() if each.constant} == {98: "0", 1137: "9"}
    defaults = {tag: each.default for tag, each in logon.items() if each.default}
    assert defaults.pop(20127) == "N; Y on KalshiPT"
    assert defaults.pop(21005) == "N; always Y on margin"
    assert defaults.pop(20200) == "24"
    assert set(defaults) == {141, 464, 8013, 20126, 21007, 21008, 21011, 21012, 21026, 21027}
    assert set(defaults.values()) == {"N"}


def test_session_types(kalshi: model.Dialect) -> None:
    both = ("prediction", "margin")
    assert {
        each.name: (each.port, each.host_role, each.products, each.resend, each.reset_required)
        for each in kalshi.session_types
    } == {
        "KalshiNR": (8228, "orders", both, False, True),
        "KalshiDC": (8229, "orders", both, False, True),
        "KalshiRT": (8230, "orders", both, True, False),
        "KalshiPT": (8231, "orders", ("prediction",), True, False),
        "KalshiRFQ": (8232, "orders", ("prediction",), False, True),
        "KalshiMD": (8233, "market_data", both, False, True),
    }
    assert {each.comp_ids for each in kalshi.session_types} == {
        (each.name, "Kalshi") for each in kalshi.session_types
    }


def test_hosts(kalshi: model.Dialect) -> None:
    assert {(each.environment, each.product, each.role): each.host for each in kalshi.endpoints} == {
        ("production", "prediction", "orders"): "mm.fix.elections.kalshi.com",
        ("production", "prediction", "market_data"): "marketdata.fix.elections.kalshi.com",
        ("production", "margin", "orders"): "margin-mm.fix.elections.kalshi.com",
        ("production", "margin", "market_data"): "margin-marketdata.fix.elections.kalshi.com",
        ("demo", "prediction", "orders"): "fix.demo.kalshi.co",
        ("demo", "prediction", "market_data"): "marketdata.fix.demo.kalshi.co",
        ("demo", "margin", "orders"): "margin-fix.demo.kalshi.co",
        ("demo", "margin", "market_data"): "margin-marketdata.fix.demo.kalshi.co",
    }


def test_products_and_versions(kalshi: model.Dialect) -> None:
    assert [(each.name, each.env_prefix) for each in kalshi.products] == [
        ("prediction", "KALSHI"),
        ("margin", "KALSHI_PERPS"),
    ]
    assert (kalshi.name, kalshi.begin_string, kalshi.appl_ver_id) == ("kalshi", "FIXT.1.1", "9")
    assert kalshi.environments == ("production", "demo")


@pytest.mark.parametrize(
    ("tag", "kind", "version", "date"),
    [
        (21027, "added", "1.0.26", "2026-05-18"),
        (21011, "updated", "1.0.17", "2025-11-30"),
        (21010, "updated", "1.0.17", "2025-11-30"),
        (272, "added", None, "2026-08"),
    ],
)
def test_history_has_the_venue_s_versions_and_dates(
    kalshi: model.Dialect, tag: int, kind: str, version: str | None, date: str
) -> None:
    (found,) = (each for each in kalshi.fields if each.tag == tag)
    assert [(each.kind, each.version, each.date) for each in found.pedigree.changes][-1] == (
        kind,
        version,
        date,
    )


def test_every_field_is_used(kalshi: model.Dialect) -> None:
    used = {each.field.name for each in (*kalshi.header, *kalshi.trailer)}
    for owner in owners(kalshi):
        used |= {each.field.name for each in owner.members}
    used |= {each.length_field for each in kalshi.fields if each.length_field is not None}
    assert {each.name for each in kalshi.fields} == used


def test_docs_are_sentences(kalshi: model.Dialect) -> None:
    docs = [each.doc for each in kalshi.fields]
    docs += [each.doc for each in owners(kalshi)]
    docs += [member.doc for each in owners(kalshi) for member in each.members]
    docs += [code.doc for each in kalshi.codesets for code in each.codes]
    assert [doc for doc in docs if not re.match(r"[A-Z].*\.\Z", doc) or "  " in doc] == []


def test_the_base_is_of_use_to_other_dialects(tmp_path: Path) -> None:
    """A folder that extends fixt11 and names its versions is a dialect, without products or sessions."""
    base = SPEC.parent / "fixt11"
    (tmp_path / "manifest.yaml").write_text(
        f"name: plain\ntitle: Plain\nextends: {base.as_posix()}\nappl_ver_id: 9\nsources: {{}}\n"
    )
    plain = load_dialect(tmp_path)
    assert [each.name for each in plain.messages] == [
        "Logon",
        "Heartbeat",
        "TestRequest",
        "ResendRequest",
        "Reject",
        "SequenceReset",
        "Logout",
    ]
    assert all(each.flows == () and each.admin for each in plain.messages)
    (heartbeat,) = (each for each in plain.fields if each.name == "HeartBtInt")
    assert heartbeat.minimum == 0
