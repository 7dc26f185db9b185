"""Flags of a QuoteRequest outside the group to which they belong."""

from __future__ import annotations

import re

import pytest

from kalshi_fix_sansio import QuoteRequestReject
from kalshi_fix_venue.sessions.tolerance import CODECS
from tests.helpers import TAGS, raw
from tests.venue.rfq.rfq_harness import RfqHarness, request, request_quotes
from tests.venue.venue_harness import Client, decode_all, encode, reframed


def numbered(fields: str) -> bytes:
    """Return a complete message; its fields may be given by name."""
    return raw(re.sub(r"[A-Z]\w+(?==)", lambda name: str(TAGS[name[0]]), fields))


@pytest.mark.parametrize(
    "body",
    [
        "131=r2|FLAG|146=1|55=M|38=5|",
        "131=r2|146=1|55=M|38=5|453=1|448=c|452=24|79=0|FLAG|",
        "131=r2|79=0|FLAG|146=1|55=M|152=5|TargetCostExcludesFees=Y|ReplaceExisting=Y|",
        "131=r2|146=1|38=5|MultivariateCollectionTicker=C|FLAG|79=0|FLAG|",
    ],
)
@pytest.mark.parametrize(
    "flag", ["RestRemainder=Y", "ReplaceExisting=Y", "TargetCostExcludesFees=Y", "ReplaceExisting="]
)
def test_flags_outside_the_group_are_dropped(body: str, flag: str) -> None:
    header = "35=R|49=k|56=KalshiRT|34=2|52=20260820-15:00:00.000|"
    message, problems = CODECS["prediction"].check(numbered(header + body.replace("FLAG", flag)))
    assert problems == ()
    assert message == CODECS["prediction"].decode(numbered(header + body.replace("FLAG|", "")))


def test_replace_existing_outside_the_group_has_no_effect(harness: RfqHarness, ann: Client) -> None:
    request_quotes(ann, "r1")
    data = encode("ann", "KalshiRT", ann.session.next_outgoing, harness.now, request("r2"))
    harness.venue.receive_data(
        ann.conn, reframed(data, b"\x01146=", b"\x01%d=Y\x01146=" % TAGS["ReplaceExisting"]), harness.now
    )
    (answer,) = decode_all(harness.venue.data_to_send(ann.conn))
    assert isinstance(answer, QuoteRequestReject)
    assert answer.text == "RFQ already exists"
