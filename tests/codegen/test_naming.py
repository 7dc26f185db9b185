from __future__ import annotations

from collections.abc import Callable

import pytest

from codegen import naming


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ClOrdID", "cl_ord_id"),
        ("OrigClOrdID", "orig_cl_ord_id"),
        ("TrdMatchID", "trd_match_id"),
        ("TargetCompID", "target_comp_id"),
        ("HeartBtInt", "heart_bt_int"),
        ("MDEntryPx", "md_entry_px"),
        ("RFQCancelStatus", "rfq_cancel_status"),
        ("MVEValidationReasonCode", "mve_validation_reason_code"),
        ("RfqId", "rfq_id"),
        ("AcceptedQuoteId", "accepted_quote_id"),
        ("PartyIDs", "party_ids"),
        ("PartyIDSource", "party_id_source"),
        ("IDs", "ids"),
        ("FIX50SP2", "fix50sp2"),
        ("TZTransactTime", "tz_transact_time"),
        ("Text", "text"),
        ("LegCFICode", "leg_cfi_code"),
        ("Leg2Px", "leg2_px"),
        ("URLLink", "url_link"),
    ],
)
def test_an_attribute_is_the_fix_name_in_snake_case(name: str, expected: str) -> None:
    assert naming.snake_case(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("Yield", "yield_"), ("From", "from_"), ("YieldType", "yield_type")]
)
def test_an_attribute_that_is_a_python_keyword_gets_an_underscore(name: str, expected: str) -> None:
    assert naming.attribute_name(name) == expected


@pytest.mark.parametrize(
    ("counter", "expected"),
    [
        ("NoPartyIDs", "party_ids"),
        ("NoMiscFees", "misc_fees"),
        ("NoRelatedSym", "related_sym"),
        ("NoMDEntries", "md_entries"),
        ("NoMVEOffendingLegs", "mve_offending_legs"),
        ("NoMarketSettlementPartyIDs", "market_settlement_party_ids"),
        ("Notional", "notional"),
        ("LinesOfText", "lines_of_text"),
    ],
)
def test_the_name_of_a_list_is_that_of_its_counter_without_the_prefix_no(counter: str, expected: str) -> None:
    assert naming.list_attribute(counter) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("PartiallyFilled", "PARTIALLY_FILLED"),
        ("GoodTillCancel", "GOOD_TILL_CANCEL"),
        ("TakerAtCross", "TAKER_AT_CROSS"),
        ("UnknownID", "UNKNOWN_ID"),
        ("CompIDProblem", "COMP_ID_PROBLEM"),
        ("XMLValidationError", "XML_VALIDATION_ERROR"),
        ("FIX50SP2", "FIX50SP2"),
        ("None", "NONE"),
    ],
)
def test_the_name_of_an_enum_member_is_in_capitals(code: str, expected: str) -> None:
    assert naming.upper_snake(code) == expected


@pytest.mark.parametrize(
    ("is_allowed", "allowed", "reserved"),
    [
        (naming.is_attribute, "cl_ord_id", "from class header trailer unknown problems get_unknown"),
        (naming.is_class_name, "NewOrderSingle", "Header Message Session Decimal Problem None 2Legs"),
        (naming.is_module_name, "order_entry", "Orders import"),
    ],
)
def test_keywords_and_names_that_the_library_uses_are_not_allowed(
    is_allowed: Callable[[str], bool], allowed: str, reserved: str
) -> None:
    assert is_allowed(allowed)
    assert [name for name in reserved.split() if is_allowed(name)] == []
