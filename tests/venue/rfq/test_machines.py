"""RfqMaker and RfqCreator against the venue's book and slow models, with messages lost, duplicated, delayed
and reordered, and with a disconnect at every message."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import localcontext
from functools import partial
from random import Random
from typing import Any

import pytest

from kalshi_fix_sansio import ExecutionReport, QuoteConfirm, QuoteStatusReport
from kalshi_fix_sansio.events import (
    CloseReason,
    MessageReceived,
    MessagesLost,
    OutcomesUnknown,
    SessionEnded,
)
from kalshi_fix_sansio.trading import Exposure, QuoteState, RfqCreator, RfqMaker, RfqState
from tests.helpers import HOSTILE_CONTEXTS
from tests.simulation.mutants.patching import Patch, replace, wrap
from tests.venue.rfq.rfq_harness import VOLATILE
from tests.venue.rfq.rfq_histories import (
    STEPS,
    Maker,
    RfqHistory,
    Step,
    exposure_at_the_venue,
    messages,
    model_of_creator,
    model_of_maker,
    play_history,
    state_of_machine,
)

SESSION_END = SessionEnded(CloseReason.CONNECTION_LOST, "", False)
DAY = timedelta(days=1)
SEEDS = range(3)
VENUE_STATES = {
    QuoteState.OPEN: "OPEN",
    QuoteState.ACCEPTED: "ACCEPTED",
    QuoteState.CONFIRMED: "CONFIRMED",
    QuoteState.EXECUTED: "EXECUTED",
    QuoteState.FAILED: "EXECUTED",
    QuoteState.CANCELED: "CANCELED",
    QuoteState.REPLACED: "CANCELED",
    QuoteState.LAPSED: "CANCELED",
    QuoteState.NO_ORDER: "CANCELED",
}


def new_machine(participant: object) -> RfqMaker | RfqCreator:
    """Return a new state machine whose callbacks do nothing, because the tests only apply events to it."""
    if isinstance(participant, Maker):
        return RfqMaker(lambda _: None, lambda _: False, lambda: "", volatile_symbols={VOLATILE})
    return RfqCreator(volatile_symbols={VOLATILE})


def play(machine: RfqMaker | RfqCreator, steps: list[Step]) -> None:
    for event, now in steps:
        for update in machine.apply(event, now):
            assert not update.discrepancies, update.discrepancies


def check(history: RfqHistory) -> None:
    """Check that every state kept by a participant equals the venue's."""
    for maker in history.makers:
        if maker.crashed:
            continue
        at_the_venue = history.quotes(maker)
        for rfq in maker.machine:
            live = [quote for quote in rfq.quotes.values() if quote.state is QuoteState.OPEN]
            assert len(live) <= 1
            for quote in rfq.quotes.values():
                if quote.state is QuoteState.REJECTED:
                    assert quote.quote_id not in at_the_venue
                elif quote.state is not QuoteState.UNKNOWN:
                    # The venue does not know a quote lost in transit; the answer to its cancel reports this.
                    known = at_the_venue.get(quote.quote_id)
                    venue_state = "CANCELED" if known is None else known.state.name
                    assert VENUE_STATES[quote.state] == venue_state, (quote, venue_state)
    venue = history.rfqs()
    for rfq in () if history.ann.crashed else history.ann.machine:
        if rfq.state is RfqState.REFUSED:
            continue
        venue_rfq = venue[rfq.quote_req_id]
        if rfq.has_ended:
            assert venue_rfq.state.name == "CLOSED"
        elif rfq.state is RfqState.OPEN:
            assert venue_rfq.state.name == "OPEN"
            assert set(rfq.quotes) >= {item.quote_id for item in venue_rfq.open_quotes.values()}
        else:
            assert rfq.state in (RfqState.ACCEPTED, RfqState.UNKNOWN)
    for participant in history.participants:
        if participant.crashed:
            continue
        with localcontext(HOSTILE_CONTEXTS["every trap"]):
            own_exposure: Exposure = participant.machine.exposure()
        venue_exposure = exposure_at_the_venue(history, participant)
        dollars = venue_exposure.pop("dollars", 0)
        assert own_exposure.cost >= dollars
        # A creator is not notified if its request is reopened because no maker has confirmed.
        if not participant.machine.uncertain() and not (history.reopening and participant is history.ann):
            assert own_exposure.cost == dollars
            assert own_exposure.bought + own_exposure.sold == sum(venue_exposure.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_state_of_both_sides_equals_the_venues_book(seed: int) -> None:
    history = RfqHistory(seed)
    for _ in range(STEPS):
        history.step()
        check(history)
    assert not any(participant.machine.uncertain() for participant in history.participants)
    history.wait(600)
    check(history)
    assert all(rfq.has_ended for rfq in history.ann.machine)
    assert {participant.machine.exposure() for participant in history.participants} == {Exposure()}
    assert [participant.machine.next_deadline() for participant in history.participants] == [None] * 3


@pytest.mark.parametrize("reopening", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_exactly_the_requests_left_open_by_a_disconnect_are_uncertain(seed: int, reopening: bool) -> None:
    """Makers disconnect. With `reopening`, the venue silently reopens a request that no maker confirmed."""
    history = RfqHistory(seed, with_disconnects=True, reopening=reopening)
    uncertain_items = 0
    for _ in range(STEPS):
        history.step()
        check(history)
        uncertain_items += sum(len(participant.machine.uncertain()) for participant in history.participants)
    assert uncertain_items > 0


def test_drop_copy_requested_after_the_time_limits_ends_the_exposure_of_lost_confirmations() -> None:
    ended = 0
    for seed in (0, 1, 7):
        history = RfqHistory(seed, with_disconnects=True)
        for _ in range(STEPS):
            history.step()
        history.wait(600)
        for maker in history.makers:
            if maker.client is None:
                maker.log_on()
            before = maker.machine.exposure()
            maker.apply_drop_copy()
            ended += maker.machine.exposure() != before
            # In markets without an earlier report no range is conclusive.
            assert maker.machine.drop_copy_start(history.now) == {}
        check(history)
    assert ended > 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_process_continued_from_its_journal_adopts_requests_listed_by_its_store(seed: int) -> None:
    history = RfqHistory(seed, with_crashes=True)
    for _ in range(STEPS):
        history.step()
        check(history)


def _drop_unknown(apply: Any, machine: Any, event: object, now: datetime) -> Any:
    return [] if isinstance(event, OutcomesUnknown) else apply(machine, event, now)


MUTANTS: dict[str, tuple[Patch, Callable[[], None]]] = {
    "a maker that ignores drop copy": (
        replace(RfqMaker, "_handle_range", lambda *_: None),
        test_drop_copy_requested_after_the_time_limits_ends_the_exposure_of_lost_confirmations,
    ),
    "a maker that ignores the requests of an earlier process": (
        wrap(RfqMaker, "apply", _drop_unknown),
        partial(test_a_process_continued_from_its_journal_adopts_requests_listed_by_its_store, 0),
    ),
    "a creator that ignores the requests of an earlier process": (
        wrap(RfqCreator, "apply", _drop_unknown),
        partial(test_a_process_continued_from_its_journal_adopts_requests_listed_by_its_store, 2),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_in_a_state_machine_is_detected(name: str) -> None:
    mutant, test = MUTANTS[name]
    with mutant(), pytest.raises(AssertionError):
        test()


def test_the_histories_cover_every_kind_of_event() -> None:
    seen = Counter(
        value
        for seed in SEEDS
        for participant in play_history(seed).participants
        for value in _states(state_of_machine(participant.machine))
    )
    assert {"EXECUTED", "EXPIRED", "CANCELED", "REJECTED", "OPEN"} <= seen.keys(), seen
    combos = [rfq for seed in SEEDS for rfq in play_history(seed).ann.machine if rfq.collection]
    assert any(rfq.state is RfqState.EXECUTED for rfq in combos)


def _states(rows: dict[str, object]) -> list[object]:
    return [row[0] if isinstance(row, tuple) else row for row in rows.values()]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_order_of_arrival_leads_to_the_same_state(seed: int) -> None:
    """Messages are lost, duplicated, and received before and after the requests that they answer."""
    random, history = Random(seed), play_history(seed)
    for participant in history.participants:
        begin = participant.steps[0][1]
        model = model_of_maker if isinstance(participant, Maker) else model_of_creator
        for share in (1.0, 0.9, 0.5):
            steps = [(event, begin) for event, _ in participant.steps]  # No message is too late.
            own = [step for step in steps if not isinstance(step[0], MessageReceived)]
            received = [step for step in steps if isinstance(step[0], MessageReceived)]
            received = [step for step in received if random.random() < share]
            received += [step for step in received if random.random() < 0.3]
            # A later request contains the venue's id, so the answer must be received first.
            acks = [step for step in received if _has_ids(step)]
            received = [step for step in received if not _has_ids(step)]
            own.sort(key=lambda step: step[0].__class__.__name__ in ("AcceptQuote", "NewOrderSingle"))
            requests = [step for step in own if step[0].__class__.__name__ == "QuoteRequest"]
            later = [step for step in own if step not in requests]
            expected = model([*requests, *acks, *later, *received])
            for _ in range(3):
                random.shuffle(received)
                machine = new_machine(participant)
                for event, now in [*requests, *acks, *later, *received]:
                    machine.apply(event, now)
                assert state_of_machine(machine) == expected


def _has_ids(step: Step) -> bool:
    event = step[0]
    return isinstance(event, MessageReceived) and event.message.MSG_TYPE == "b"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_disconnect_at_any_message_never_leads_to_a_false_state(seed: int) -> None:
    history = play_history(seed)
    for participant in history.participants:
        loss = SESSION_END if isinstance(participant, Maker) else MessagesLost(1, 9)
        for cut in range(1, len(participant.steps) + 1):
            before, after = participant.steps[:cut], participant.steps[cut:]
            now = before[-1][1]
            machine = new_machine(participant)
            play(machine, before)
            machine.apply(loss, now)
            exposure, uncertain_items = machine.exposure(), _uncertain_keys(machine)
            traded = {
                message.cl_ord_id for message in messages(after) if isinstance(message, ExecutionReport)
            }
            if isinstance(machine, RfqMaker):
                _check_maker(machine, traded, after, uncertain_items)
            else:
                _check_creator(machine, traded)
            if cut % 5 == 0:
                machine.handle_timer(now + DAY)
                assert _uncertain_keys(machine) >= uncertain_items
                if isinstance(machine, RfqCreator):
                    assert machine.exposure() == exposure
                restored = new_machine(participant)
                restored.load(json.loads(json.dumps(machine.dump())))
                assert (state_of_machine(restored), _uncertain_keys(restored)) == (
                    state_of_machine(machine),
                    _uncertain_keys(machine),
                )


def _uncertain_keys(machine: RfqMaker | RfqCreator) -> set[tuple[object, ...]]:
    return {(item.kind, item.rfq_id, item.quote_id, item.since) for item in machine.uncertain()}


def _check_maker(
    machine: RfqMaker, traded: set[str], after: list[Step], uncertain_items: set[tuple[object, ...]]
) -> None:
    confirmed_later = {each.quote_id for each, _ in after if isinstance(each, QuoteConfirm)}
    quotes = [quote for rfq in machine for quote in rfq.quotes.values()]
    for quote in quotes:
        assert quote.state not in (
            QuoteState.SENT,
            QuoteState.OPEN,
            QuoteState.CONFIRMING,
            QuoteState.CONFIRMED,
        )
        if any(name.endswith(f":{quote.quote_id}") for name in traded):
            may_trade = quote.may_trade and quote.quote_id in {item[2] for item in uncertain_items}
            assert may_trade or quote.state is QuoteState.EXECUTED or quote.quote_id in confirmed_later
    # Every withheld message is about a quote that is uncertain, accepted or ended.
    for message in messages(after):
        if isinstance(message, QuoteStatusReport):
            known = machine.quote_of(message.quote_id)
            assert known is None or known.state not in (QuoteState.OPEN, QuoteState.SENT)


def _check_creator(machine: RfqCreator, traded: set[str]) -> None:
    for rfq in machine:
        assert rfq.has_ended or rfq.state is RfqState.UNKNOWN
        for acceptance in rfq.acceptances:
            if acceptance.cl_ord_id in traded:
                assert acceptance.may_trade or rfq.state is RfqState.EXECUTED
