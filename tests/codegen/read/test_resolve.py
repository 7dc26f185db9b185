"""The resolved model of a valid spec."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from codegen import model
from codegen.read.resolve import load_dialect
from kalshi_fix_adapters.documents.mistakes import Location
from tests.codegen.spec_folder import (
    FILES,
    changed,
    edited,
    field,
    line_of,
    member,
    message,
    mistakes_of,
    write,
)


@pytest.fixture
def dialect(tmp_path: Path) -> model.Dialect:
    return load_dialect(write(tmp_path))


def test_fields_are_sorted_by_tag_and_complete(dialect: model.Dialect, tmp_path: Path) -> None:
    assert [item.tag for item in dialect.fields] == sorted(item.tag for item in dialect.fields)
    found = field(dialect, "ClOrdID")
    assert found == model.Field(
        tag=11,
        name="ClOrdID",
        attribute="cl_ord_id",
        datatype=model.Datatype("STRING", "STRING", "STRING", "Text."),
        codeset=None,
        unit=None,
        doc="Order id.",
        length_field=None,
        minimum=None,
        maximum=None,
        max_length=8,
        pattern="[a-z]+",
        secret=False,
        pedigree=model.Pedigree(),
        source="manual",
        location=Location(f"{tmp_path.as_posix()}/fields.yaml", line_of(FILES["fields.yaml"], "  ClOrdID")),
    )


def test_a_datatype_has_a_python_type_and_a_quickfix_name(tmp_path: Path) -> None:
    dialect = changed(tmp_path, "datatypes", "kind: DECIMAL", "kind: DECIMAL, quickfix: PRICEY")
    (price,) = (t for t in dialect.datatypes if t.name == "PRICE")
    assert (price.python.type, price.quickfix) == ("Decimal", "PRICEY")


def test_the_codes_of_an_integer_field_are_integers(dialect: model.Dialect) -> None:
    side, level = field(dialect, "Side").codeset, field(dialect, "Level").codeset
    assert side is not None
    assert level is not None
    assert (side.integer, side.open, level.integer, level.open) == (False, False, True, True)
    assert [(code.name, code.constant, code.value) for code in side.codes] == [
        ("Buy", "BUY", "1"),
        ("Sell", "SELL", "2"),
    ]


def test_a_counter_needs_no_doc(dialect: model.Dialect) -> None:
    assert field(dialect, "NoLegs").doc == "Number of entries in the group that follows."


def test_a_data_field_names_its_length(dialect: model.Dialect) -> None:
    assert field(dialect, "Note").length_field == "NoteLength"
    assert "NoteLength" not in [member.field.name for member in message(dialect, "NewOrder").members]


def test_administrative_messages_are_first(dialect: model.Dialect) -> None:
    assert [(message.msg_type, message.admin) for message in dialect.messages] == [
        ("0", True),
        ("D", False),
        ("8", False),
    ]


def test_the_members_of_a_component_are_inserted_with_its_presence(dialect: model.Dialect) -> None:
    order = message(dialect, "NewOrder")
    assert [member.field.name for member in order.members][:5] == [
        "ClOrdID",
        "Side",
        "Price",
        "StopPx",
        "Level",
    ]
    assert order.one_of == (model.OneOf(("Price", "StopPx"), "exactly_one", model.Scope()),)


def test_conditions_contain_field_names_and_wire_values(dialect: model.Dialect) -> None:
    level = member(dialect, "Level")
    assert level.required_when == (model.Condition((("Side", ("1",)), ("Price", ()))),)
    assert level.forbidden_when == (model.Condition((("Side", ("2",)),)),)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{Side: [Buy, 2]}", (model.Condition((("Side", ("1", "2")),)),)),
        ("{Side: absent, Urgent: Y}", (model.Condition((("Side", None), ("Urgent", ("Y",)))),)),
        ("{Legs: present}", (model.Condition((("NoLegs", ()),)),)),
        (
            "[{ClOrdID: abc}, {Level: High}]",
            (model.Condition((("ClOrdID", ("abc",)),)), model.Condition((("Level", ("2",)),))),
        ),
    ],
)
def test_conditions_have_several_forms(
    tmp_path: Path, written: str, expected: tuple[model.Condition, ...]
) -> None:
    dialect = changed(tmp_path, "messages_orders", "{Side: Buy, Price: present}", written)
    assert member(dialect, "Level").required_when == expected


LOGON = """\
  Logon:
    msg_type: A
    admin: true
    doc: "Begins."
    members: {Urgent: optional, Level: optional}
"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "{products: spot, sessions: Orders, sender: client, Side: Buy}",
            model.Condition((("Side", ("1",)),), model.Scope(("spot",), ("Orders",), "client")),
        ),
        (
            "{messages: [NewOrder, OrderReport]}",
            model.Condition((), model.Scope(messages=(("NewOrder", "D"), ("OrderReport", "8")))),
        ),
        (
            "{logon: {Urgent: [N, absent], Level: High}}",
            model.Condition((), model.Scope(logon=(("Urgent", ("N", "")), ("Level", ("2",))))),
        ),
        (
            "{logon: {Urgent: absent, Level: present}}",
            model.Condition((), model.Scope(logon=(("Urgent", None), ("Level", ())))),
        ),
        ("{Side: [Buy, absent]}", model.Condition((("Side", ("1", "")),))),
    ],
)
def test_a_condition_may_restrict_where_it_applies(
    tmp_path: Path, written: str, expected: model.Condition
) -> None:
    text = edited("messages_orders", "{Side: Buy, Price: present}", written)
    text = text.replace("Note:    optional", f"Note: {{only_when: [{written}]}}")
    session = FILES["messages/session.yaml"] + LOGON
    dialect = load_dialect(write(tmp_path, messages_orders=text, messages_session=session))
    assert member(dialect, "Level").required_when == (expected,)
    assert member(dialect, "Note").only_when == (expected,)


def test_limits_may_belong_to_a_field_or_to_a_member(tmp_path: Path) -> None:
    limits = "[{minimum: 0.01, step: 0.01, unit: dollars}, {when: {products: futures}, maximum: -5}]"
    fields = edited("fields", "unit: dollars, doc", f"unit: dollars, limits: {limits}, doc")
    orders = edited(
        "messages_orders", "Note:    optional", "Rank: {limits: {when: {Side: Buy}, minimum: 1, maximum: 1}}"
    )
    dialect = load_dialect(write(tmp_path, fields=fields, messages_orders=orders))
    assert field(dialect, "Price").limits == (
        model.Limit(minimum="0.01", step="0.01", unit="dollars"),
        model.Limit(model.Condition((), model.Scope(("futures",))), maximum="-5"),
    )
    buying = model.Condition((("Side", ("1",)),))
    assert member(dialect, "Rank").limits == (model.Limit(buying, "1", "1"),)
    assert member(dialect, "Price").field == field(dialect, "Price")


def test_the_only_allowed_values_may_be_codes_or_wire_values(tmp_path: Path) -> None:
    values = "{limits: [{when: {Side: Buy}, values: [High, 1]}, {values: Low}]}"
    rank = "Rank: {limits: {values: [7, -1]}}"
    orders = edited("messages_orders", "Note:    optional", rank).replace(
        "Level:\n        required_when", "Level:\n        limits: LIMITS\n        required_when"
    )
    orders = orders.replace("LIMITS", values.removeprefix("{limits: ").removesuffix("}"))
    dialect = load_dialect(write(tmp_path, messages_orders=orders))
    assert [limit.values for limit in member(dialect, "Level").limits] == [("2", "1"), ("1",)]
    assert [limit.values for limit in member(dialect, "Rank").limits] == [("7", "-1")]


def test_limits_of_a_group_are_numbers_of_entries(tmp_path: Path) -> None:
    fields = FILES["fields.yaml"].replace("{tag: 555, ", "{tag: 555, limits: {maximum: 9}, ")
    orders = edited(
        "messages_orders",
        "{required_on: {products: futures}}",
        "{required_on: {products: futures}, limits: {when: {Side: Buy}, minimum: 2}}",
    )
    legs = member(load_dialect(write(tmp_path, fields=fields, messages_orders=orders)), "NoLegs")
    assert [limit.maximum for limit in legs.field.limits] == ["9"]
    assert [(limit.when.terms, limit.minimum) for limit in legs.limits] == [((("Side", ("1",)),), "2")]


def test_a_member_restricted_by_only_is_forbidden_in_all_other_flows(dialect: model.Dialect) -> None:
    urgent = member(dialect, "Urgent")
    assert (urgent.presence, urgent.default) == ("optional", "N")
    assert urgent.rules == (model.PresenceRule(model.Scope(products=("futures",)), "forbidden"),)


def test_a_member_restricted_by_only_is_forbidden_outside_each_dimension_of_the_scope(tmp_path: Path) -> None:
    new = "members: {Urgent: {only: {products: spot, sessions: Quotes, sender: client}}}"
    dialect = changed(tmp_path, "messages_session", "members: {}", new)
    assert member(dialect, "Urgent", "Heartbeat").rules == (
        model.PresenceRule(model.Scope(products=("futures",)), "forbidden"),
        model.PresenceRule(model.Scope(sessions=("Orders",)), "forbidden"),
        model.PresenceRule(model.Scope(sender="venue"), "forbidden"),
    )


def test_a_member_restricted_by_only_needs_no_rule_for_impossible_flows(tmp_path: Path) -> None:
    """Only clients send NewOrder, and only on Orders, so a scope with these values restricts nothing."""
    new = "{only: {sessions: Orders, sender: client}"
    dialect = changed(tmp_path, "messages_orders", "{only: {products: spot}", new)
    assert member(dialect, "Urgent").rules == ()


def test_presence_rules_keep_the_order_of_the_file(tmp_path: Path) -> None:
    new = "{optional_on: {products: spot}, required_on: [{products: futures}, {sender: client}]}"
    dialect = changed(tmp_path, "messages_orders", "{required_on: {products: futures}}", new)
    rules = member(dialect, "NoLegs").rules
    assert [(rule.presence, rule.scope.products, rule.scope.sender) for rule in rules] == [
        ("optional", ("spot",), None),
        ("required", ("futures",), None),
        ("required", (), "client"),
    ]


def test_a_constant_is_a_separate_presence(dialect: model.Dialect) -> None:
    level = member(dialect, "Level", "OrderReport")
    assert (level.presence, level.constant) == ("constant", "2")


def test_legacy_tags_are_resolved(dialect: model.Dialect) -> None:
    assert [field.tag for field in member(dialect, "Urgent").legacy_fields] == [5000]


def test_a_group_is_a_member_under_the_name_of_its_counter(dialect: model.Dialect) -> None:
    legs = member(dialect, "NoLegs")
    assert legs.group is not None
    assert (legs.attribute, legs.doc, legs.group.entry_class) == ("legs", "Legs.", "Leg")
    assert [delimiter.name for delimiter in legs.group.delimiters] == ["LegSymbol"]
    assert (legs.group.minimum, legs.group.maximum) == (1, None)


def test_inner_groups_precede_the_groups_that_contain_them(dialect: model.Dialect) -> None:
    assert [(group.name, group.minimum, group.maximum) for group in dialect.groups] == [
        ("Notes", 0, 3),
        ("Legs", 1, None),
    ]


def test_doc_and_history_of_a_member_default_to_those_of_its_field(dialect: model.Dialect) -> None:
    added = model.Pedigree((model.Change("added", "1.1.0", "2026-05-18"),))
    assert member(dialect, "Urgent").doc == "Urgency."
    assert member(dialect, "Urgent").pedigree == added
    assert message(dialect, "OrderReport").pedigree == added
    assert member(dialect, "ClOrdID", "OrderReport").doc == "The order."


def test_history_may_contain_versions_dates_and_months(tmp_path: Path) -> None:
    new = 'since: 2025-01-02, changed: {2026-03: "Wider."}, deprecated: {1.1.0: "Use Level."}, '
    dialect = changed(tmp_path, "fields", "since: 1.1.0, ", new)
    assert field(dialect, "Urgent").pedigree.changes == (
        model.Change("added", None, "2025-01-02"),
        model.Change("updated", None, "2026-03", "Wider."),
        model.Change("deprecated", "1.1.0", "2026-05-18", "Use Level."),
    )


def note_with(tmp_path: Path, settings: str) -> model.Member:
    """Return the member Note of the order with these settings."""
    return member(changed(tmp_path, "messages_orders", "Note:    optional", f"Note: {settings}"), "Note")


def test_the_earlier_form_of_a_member_is_resolved_like_the_member(tmp_path: Path) -> None:
    note = note_with(tmp_path, "{changed: {1.1.0: {note: Eased., was: {required_on: {products: futures}}}}}")
    ((change, earlier),) = note.past
    assert change == model.Change("updated", "1.1.0", "2026-05-18", "Eased.")
    assert (note.presence, note.rules, earlier.presence) == ("optional", (), "optional")
    assert [(rule.scope.products, rule.presence) for rule in earlier.rules] == [(("futures",), "required")]
    ((_, earlier),) = note_with(tmp_path, "{changed: {1.1.0: {note: E., was: required}}}").past
    assert earlier.presence == "required"


def test_a_removed_member_is_required_only_before_its_removal(tmp_path: Path) -> None:
    note = note_with(tmp_path, "{presence: required, until: {2026-03: Gone.}}")
    ((change, earlier),) = note.past
    assert (change.kind, note.presence, earlier.presence) == ("removed", "optional", "required")


def test_removed_fields_of_a_message_are_resolved(tmp_path: Path) -> None:
    flows = "flows: {sender: client"
    new = f"changed: {{2026-03-04: {{note: Less., had: [Note, Urgent]}}}}\n    {flows}"
    ((change, had),) = message(changed(tmp_path, "messages_orders", flows, new), "NewOrder").past
    assert change == model.Change("updated", None, "2026-03-04", "Less.")
    assert [item.name for item in had] == ["Note", "Urgent"]


@pytest.mark.parametrize(
    ("written", "first_day", "certain_from"),
    [
        ("2026-10-08", date(2026, 10, 8), date(2026, 10, 8)),
        ("2026-10", date(2026, 10, 1), date(2026, 11, 1)),
        ("2026-12", date(2026, 12, 1), date(2027, 1, 1)),
    ],
)
def test_a_change_dated_by_month_certainly_applies_from_the_next_month(
    written: str, first_day: date, certain_from: date
) -> None:
    change = model.Change("added", None, written)
    assert (change.first_day, change.certain_from) == (first_day, certain_from)


def test_sources_and_reasons_are_part_of_the_model(tmp_path: Path) -> None:
    manifest = edited("manifest", "{manual: the manual}", "{manual: the manual, notice: a notice}")
    text = edited("messages_orders", "Note:    optional", 'Note: {source: [notice, manual], why: "Newer."}')
    note = member(load_dialect(write(tmp_path, manifest=manifest, messages_orders=text)), "Note")
    assert (note.source, note.why) == ("notice, manual", "Newer.")


def test_session_types_and_hosts_are_resolved(dialect: model.Dialect, tmp_path: Path) -> None:
    orders, quotes = dialect.session_types
    assert orders == model.SessionType(
        name="Orders",
        purpose="Orders.",
        resend=True,
        reset_required=False,
        products=("spot", "futures"),
        port=9000,
        host_role="main",
        service="orders",
        comp_ids=("Orders", "Mini"),
        source="manual",
        location=Location(f"{tmp_path.as_posix()}/sessions.yaml", 7),
    )
    assert (quotes.products, quotes.reset_required, quotes.service) == (("spot",), True, None)
    assert dialect.environments == ("live",)
    assert [(endpoint.product, endpoint.host) for endpoint in dialect.endpoints] == [
        ("spot", "spot.example"),
        ("futures", "futures.example"),
    ]


def test_a_terse_dialect_needs_no_docs_for_fields_of_the_standard(tmp_path: Path) -> None:
    manifest = edited("manifest", "appl_ver_id: 9\n", "appl_ver_id: 9\nterse: true\n")
    fields = edited("fields", ', doc: "Stop price."', "")
    found = field(load_dialect(write(tmp_path, manifest=manifest, fields=fields)), "StopPx")
    assert found.doc == ""


def test_a_request_and_its_answer_name_their_fields(dialect: model.Dialect) -> None:
    order, report = message(dialect, "NewOrder"), message(dialect, "OrderReport")
    assert (order.request, order.answers) == (("cl_ord_id", "level"), ())
    assert report.request == ()
    assert order.tracks is None
    resting = model.Condition((("Level", ("1",)),))
    done = model.Condition((("Level", ("2",)), ("Rank", ())))
    assert report.tracks == model.RestingOrderRule(field(dialect, "ClOrdID"), ("Quotes",), resting, done)
    pending = model.Condition((("Level", ("1", "2")),))
    open_when = model.Condition((("Level", ("2",)), ("Rank", ()), ("ClOrdID", None)))
    cl_ord_id, rank = field(dialect, "ClOrdID"), field(dialect, "Rank")
    assert report.answers == (
        model.AnswerRule(("D",), cl_ord_id, "cl_ord_id", None, pending, open_when, ("D", rank)),
        model.AnswerRule(("D",), rank, "level"),
        model.AnswerRule(("D",), None, ""),
    )


def test_data_fields_of_the_standard_are_listed_by_tag(tmp_path: Path) -> None:
    manifest = edited("manifest", "sources:", "standard_data: {93: 89, 90: 91}\nsources:")
    assert load_dialect(write(tmp_path / "right", manifest=manifest)).standard_data == ((90, 91), (93, 89))
    wrong = manifest.replace("90:", "RawData:")
    (mistake,) = mistakes_of(write(tmp_path / "wrong", manifest=wrong))
    assert mistake.problem == "`RawData` is not a tag"
