"""msgspec: decodes JSON to typed objects in C. It is not a FIX engine; it shows how fast CPython can be."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from benchmarks import samples

NAME = "msgspec (JSON)"
_values = samples.values_reader()
_FEE = {"misc_fee_amt": Decimal, "misc_fee_curr": str, "misc_fee_type": str, "misc_fee_basis": int}
_CHANGE = {"collateral_amount_change": Decimal, "collateral_amount_type": str}
_HEADER = {"seq_num": int, "sender": str, "target": str, "sending_time": datetime}
_REPORT = {
    **dict.fromkeys(("order_id", "cl_ord_id", "exec_id", "exec_type", "ord_status", "side", "symbol"), str),
    **dict.fromkeys(
        ("order_qty", "leaves_qty", "cum_qty", "avg_px", "price", "last_px", "last_qty"), Decimal
    ),
    "transact_time": datetime,
    "trd_match_id": str,
    "aggressor_indicator": bool,
}
_JSON_NAMES = {
    "misc_fee_amt": "amount",
    "misc_fee_curr": "currency",
    "misc_fee_type": "kind",
    "misc_fee_basis": "basis",
    "collateral_amount_change": "change",
    "collateral_amount_type": "kind",
    "aggressor_indicator": "aggressor",
    "misc_fees": "fees",
    "collateral_amount_changes": "changes",
}
"""Short names that replace attribute names of the library in the JSON."""


def _struct(name: str, types: dict[str, Any]) -> Any:
    return msgspec.defstruct(name, types.items(), rename=_JSON_NAMES)


_GROUPS = {
    "misc_fees": list[_struct("Fee", _FEE)],  # type: ignore[misc]
    "collateral_amount_changes": list[_struct("Change", _CHANGE)],  # type: ignore[misc]
}
_DECODER = msgspec.json.Decoder(_struct("Report", _HEADER | _REPORT | _GROUPS))


def report_json(number: int = 0) -> bytes:
    """Return the values of a sample report as JSON; decimals are encoded as text to keep them exact."""
    report = samples.report(number)
    header = {
        "seq_num": 99 + number,
        "sender": samples.VENUE,
        "target": samples.KEY_ID,
        "sending_time": samples.NOON + timedelta(milliseconds=number),
    }
    groups = {
        "fees": [_with_json_names(fee, _FEE) for fee in report.misc_fees],
        "changes": [_with_json_names(change, _CHANGE) for change in report.collateral_amount_changes],
    }
    data: bytes = msgspec.json.encode(header | _with_json_names(report, _REPORT) | groups)
    return data


def _with_json_names(block: Any, types: dict[str, Any]) -> dict[str, Any]:
    return {_JSON_NAMES.get(name, name): getattr(block, name) for name in types}


def read_report(data: bytes) -> tuple[Any, ...]:
    """Decode a report and read 20 values."""
    return _values(_DECODER.decode(data))
