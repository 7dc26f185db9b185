"""Tests of the kalshi-sdk programs: REST is recorded and replayed, and FIX messages are written by hand."""

import asyncio
from decimal import Decimal

import httpx
import pytest
from kalshi import KalshiClient
from kalshi.config import KalshiConfig
from kalshi.fix.codec import RawMessage
from kalshi.fix.enums import MsgType, QuoteStatus
from kalshi.fix.messages.market_data import MarketDataSnapshotFullRefresh, MDSnapshotEntry
from kalshi.fix.messages.rfq import QuoteConfirm, QuoteRequest, QuoteStatusReport
from kalshi.testing import FixtureNotFoundError, RecordingTransport, ReplayTransport
from sdk_recorder_before import PriceRecorder
from sdk_rest import is_trading
from sdk_rfq_before import Maker


class FailingServer(httpx.BaseTransport):
    """A server that fails on the first request."""

    def __init__(self):
        self.requests = 0

    def handle_request(self, request):
        self.requests += 1
        if self.requests == 1:
            return httpx.Response(503, request=request)
        return httpx.Response(200, request=request, json={"exchange_active": True, "trading_active": True})


def wire(message):
    """Return a message as the session delivers it."""
    return RawMessage([(35, type(message).MSG_TYPE.value), *message.to_body_fields()])


def test_rest_is_retried_recorded_and_replayed(tmp_path):
    server, config = FailingServer(), KalshiConfig(retry_base_delay=0.0)
    with KalshiClient(config=config, transport=RecordingTransport(tmp_path, real_transport=server)) as client:
        assert is_trading(client)
    assert server.requests == 2
    with KalshiClient(config=config, transport=ReplayTransport(tmp_path)) as client:
        assert is_trading(client)  # the failure is replayed, too
        with pytest.raises(FixtureNotFoundError):
            client.exchange.schedule()


def test_the_recorder_writes_a_row_for_each_best_price():
    rows = []

    class RowWriter:
        writerow = rows.append

    recorder = PriceRecorder(["KX-1"], RowWriter())
    for price in ("0.40", "0.40", "0.41"):
        entry = MDSnapshotEntry(md_entry_type="0", md_entry_px=Decimal(price), md_entry_size=Decimal(5))
        asyncio.run(recorder.on_message(wire(MarketDataSnapshotFullRefresh(symbol="KX-1", entries=[entry]))))
    assert rows == [["KX-1", "0.40", ""], ["KX-1", "0.41", ""]]


class Session:
    """Replaces the session, because the SDK has no server for tests."""

    def __init__(self):
        self.sent = []

    async def send(self, message):
        self.sent.append(message)


@pytest.mark.parametrize(("size", "confirmed"), [(100, True), (101, False)])
def test_the_maker_confirms_up_to_its_limit(size, confirmed):
    maker = Maker(Decimal("0.40"), Decimal("0.55"), limit=100)
    maker.session = session = Session()
    request = QuoteRequest(quote_req_id="r", symbol="KX-1", order_qty=Decimal(size))
    asyncio.run(maker.on_message(wire(request)))
    [quote] = session.sent
    accepted = QuoteStatusReport(quote_id=quote.quote_id, quote_req_id="r", quote_status=QuoteStatus.ACCEPTED)
    asyncio.run(maker.on_message(wire(accepted)))
    assert [each for each in session.sent[1:] if each.MSG_TYPE is MsgType.QUOTE_CONFIRM] == (
        [QuoteConfirm(quote_id=quote.quote_id)] if confirmed else []
    )
