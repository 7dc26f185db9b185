"""The fast path: it says what the careful path says, of every input, and never grows without bound."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from kalshi_fix_sansio.codec import Codec
from tests.core.tiny_dialect import DIALECT
from tests.core.wire import SOUND, damaged, dump, fields_of, joined

CAREFUL = Codec(DIALECT)


def trained() -> Codec:
    """A codec that knows the shape of every sound message."""
    codec = Codec(DIALECT)
    for body in SOUND * 2:
        codec.decode(joined(fields_of(body)))
    return codec


TRAINED = trained()


@pytest.mark.parametrize("body", SOUND)
def test_sound_messages_have_no_problems_and_decode_the_same_way_fast(body: str) -> None:
    whole = joined(fields_of(body))
    careful, _ = CAREFUL.check(whole)
    assert careful.problems == ()
    for _ in range(3):
        assert dump(TRAINED.decode(whole)) == dump(careful)


@settings(max_examples=2500)
@given(damaged(SOUND))
def test_fast_and_careful_agree_on_damaged_messages(whole: bytes) -> None:
    expected = dump(CAREFUL.check(whole)[0])
    assert dump(TRAINED.decode(whole)) == expected
    fresh = Codec(DIALECT)
    for _ in range(3):
        assert dump(fresh.decode(whole)) == expected
