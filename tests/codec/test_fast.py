"""The compiled decoders (the fast path) give the same result as the reader and the explainer (the slow path)
for every input, with bounded memory.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio._generated import DIALECT as KALSHI
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.compiled import cache as caching
from kalshi_fix_sansio.codec.compiled import decoders
from kalshi_fix_sansio.codec.compiled.cache import DecoderCache
from kalshi_fix_sansio.codec.compiled.decoders import DecoderWriter
from kalshi_fix_sansio.codec.explainer import Explainer
from kalshi_fix_sansio.codec.tables import Tables
from kalshi_fix_sansio.codec.tokens import split
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import BlockLayout, Dialect, FieldMember, GroupMember
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.framing import Frame, is_frame
from kalshi_fix_sansio.scalars import Decimals
from tests import tiny_dialect
from tests.codec.wire import HEAD, VALID_BODIES, Fields, damaged, dump, explain, fields_of, joined
from tests.samples import full, minimal
from tests.tiny_dialect import DIALECT, frame

UNTRAINED_CODEC = Codec(DIALECT)
UNTRAINED_KALSHI_CODEC = Codec(KALSHI)
TABLES = Tables(DIALECT)
SIGHTINGS = caching.SIGHTINGS_TO_COMPILE
VALID_FIELDS = [fields_of(body) for body in VALID_BODIES]


def kalshi_messages() -> list[Fields]:
    """Return the smallest and the fullest message of every type of the Kalshi dialect, as fields."""
    codec, head = Codec(KALSHI), full(KALSHI.header, unknown=())
    found = []
    for layout in KALSHI.messages.values():
        for message in (minimal(layout.body), full(layout.body)):
            inner = codec.encode(message, head).split(b"\x01", 2)[2].rpartition(b"10=")[0]
            found.append(fields_of(inner.decode("latin-1").replace("\x01", "|")))
    return found


KALSHI_FIELDS = kalshi_messages()


@pytest.fixture(autouse=True)
def compile_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the codec compile a shape at its second occurrence."""
    monkeypatch.setattr(caching, "SIGHTINGS_TO_COMPILE", 2)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[decoders.Shape]:
    """Record every compiled shape."""
    shapes = []
    compile_shape = DecoderWriter.compile

    def recording(writer: DecoderWriter) -> decoders.Shape:
        shapes.append(compile_shape(writer))
        return shapes[-1]

    monkeypatch.setattr(DecoderWriter, "compile", recording)
    return shapes


@pytest.fixture
def codec() -> Codec:
    """Return a codec that has not decoded any message."""
    return Codec(DIALECT)


def trained_codec_of(dialect: Dialect, valid: list[Fields]) -> Codec:
    """Return a codec that knows the shape of every valid message."""
    codec = Codec(dialect)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(caching, "SIGHTINGS_TO_COMPILE", 2)
        for fields in valid * 2:
            codec.decode(joined(fields))
    return codec


TRAINED_CODEC = trained_codec_of(DIALECT, VALID_FIELDS)
TRAINED_KALSHI_CODEC = trained_codec_of(KALSHI, KALSHI_FIELDS)


@pytest.mark.parametrize("body", VALID_BODIES)
def test_valid_messages_have_no_problems_and_decode_alike_on_the_fast_path(body: str) -> None:
    data = joined(fields_of(body))
    expected, _ = explain(UNTRAINED_CODEC, data)
    assert expected.problems == ()
    for _ in range(3):
        assert dump(TRAINED_CODEC.decode(data)) == dump(expected)


def check_agreement(codec: Codec, untrained_codec: Codec, data: bytes) -> None:
    """Check that decoding and checking give the same result as the explainer."""
    message, problems = explain(untrained_codec, data)
    assert dump(codec.decode(data)) == dump(message)
    found, strict = codec.check(data)
    assert (dump(found), strict) == (dump(message), problems)


@settings(max_examples=600)
@given(damaged(VALID_FIELDS))
def test_both_paths_agree_on_damaged_messages(data: bytes) -> None:
    for _ in range(3):
        check_agreement(TRAINED_CODEC, UNTRAINED_CODEC, data)


@settings(max_examples=150)
@given(damaged(VALID_FIELDS))
def test_both_paths_agree_on_shapes_learned_from_damaged_messages(data: bytes) -> None:
    codec = Codec(DIALECT)
    for _ in range(3):
        check_agreement(codec, UNTRAINED_CODEC, data)


@settings(max_examples=400)
@given(damaged(KALSHI_FIELDS))
def test_both_paths_agree_on_damaged_messages_in_the_kalshi_dialect(data: bytes) -> None:
    for _ in range(2):
        check_agreement(TRAINED_KALSHI_CODEC, UNTRAINED_KALSHI_CODEC, data)


@st.composite
def mangled(draw: st.DrawFn, valid: list[bytes]) -> bytes:
    """Draw a complete message with one to three changes, possibly in its frame: a bit is flipped, a byte is
    removed or inserted, or two bytes are swapped."""
    data = bytearray(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case 1:
                del data[at]
            case 2:
                data.insert(at, draw(st.sampled_from(b"0123456789=\x01A\xe9\x00")))
            case _:
                other = draw(st.integers(0, len(data) - 1))
                data[at], data[other] = data[other], data[at]
    return bytes(data)


def check_agreement_on_bytes(trained_codec: Codec, untrained_codec: Codec, data: bytes) -> None:
    """Check that bytes that are not one complete message are refused, and that both codecs decode other bytes
    alike."""
    if is_frame(data):
        expected = dump(explain(untrained_codec, data)[0])
        assert dump(trained_codec.decode(data)) == expected
        assert dump(trained_codec.decode(Frame(data))) == expected
        return
    with pytest.raises(DecodeError):
        trained_codec.decode(data)


@settings(max_examples=600)
@given(mangled([joined(fields) for fields in VALID_FIELDS]))
def test_both_paths_agree_on_arbitrary_bytes(data: bytes) -> None:
    check_agreement_on_bytes(TRAINED_CODEC, UNTRAINED_CODEC, data)


@settings(max_examples=300)
@given(mangled([joined(fields) for fields in KALSHI_FIELDS]))
def test_both_paths_agree_on_arbitrary_bytes_in_the_kalshi_dialect(data: bytes) -> None:
    check_agreement_on_bytes(TRAINED_KALSHI_CODEC, UNTRAINED_KALSHI_CODEC, data)


def with_the_same_sum(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace bytes of a message with others of the same length and sum."""
    assert len(old) == len(new)
    assert sum(old) % 256 == sum(new) % 256
    return data.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"49=a", b"94=a"), (b"35=D", b"53=D"), (b"34=7", b"43=7"), (b"8=FIXT", b"8=FITX"), (b"38=1", b"=381")],
)
def test_a_changed_message_with_the_same_length_and_checksum_does_not_match_a_known_shape(
    old: bytes, new: bytes
) -> None:
    data = joined(fields_of(order("58=x|")))
    for _ in range(3):
        TRAINED_CODEC.decode(data)
    changed = with_the_same_sum(data, old, new)
    check_agreement_on_bytes(TRAINED_CODEC, UNTRAINED_CODEC, changed)


# --- messages that the fast path accepts -----------------------------------------------------------------


def text(data: bytes) -> str:
    return data.decode("latin-1")


def learn(cache: DecoderCache, data: bytes) -> None:
    """Decode a message so that the cache learns its shape."""
    cache.learn(text(data), split(text(data)), Explainer(TABLES, text(data)).message())


def cache_trained_with(*bodies: str) -> DecoderCache:
    """Return a cache that has decoded each of these messages twice."""
    cache = DecoderCache(TABLES)
    for body in bodies:
        for _ in range(2):
            learn(cache, joined(fields_of(body)))
    return cache


def decode_fast(cache: DecoderCache, body: str) -> Message | None:
    """Decode a message on the fast path only; return None if the fast path leaves it to the slow path."""
    data = joined(fields_of(body))
    found = cache.decode(data, framed=False)
    if found is not None:
        assert dump(found) == dump(explain(UNTRAINED_CODEC, data)[0])
        for framed in (False, True):
            assert dump(cache.decode(data, framed=framed)) == dump(found)
    return found


def decodes_strictly(cache: DecoderCache, body: str) -> bool:
    """Return whether the fast path decodes a message with strict checks."""
    data = joined(fields_of(body))
    found = cache.decode(data, framed=False, strict=True)
    if found is not None:
        message, problems = explain(UNTRAINED_CODEC, data)
        assert (dump(found), problems) == (dump(message), ())
    return found is not None


def order(body: str) -> str:
    return f"35=D|{HEAD}11=a|38=1|{body}"


def book(*entries: str, rest: str = "") -> str:
    return f"35=W|{HEAD}55=K|268={len(entries)}|{''.join(entries)}{rest}"


@pytest.mark.parametrize(
    "body", [body for body in VALID_BODIES if "35=ZZ" not in body and "270=.7" not in body]
)
def test_a_shape_is_compiled_at_its_second_occurrence(body: str) -> None:
    cache = DecoderCache(TABLES)
    data = joined(fields_of(body))
    learn(cache, data)
    assert decode_fast(cache, body) is None
    learn(cache, data)
    assert decode_fast(cache, body) is not None


def test_a_shape_accepts_other_values_but_not_other_tags() -> None:
    cache = cache_trained_with(order("44=0.45|58=x|"))
    assert decode_fast(cache, order("44=99|58=a=b é|"))
    assert decode_fast(cache, order("58=x|44=0.45|")) is None
    assert decode_fast(cache, order("44=0.45|")) is None
    assert decode_fast(cache, order("44=0.45|58=x|9001=y|")) is None
    assert decode_fast(cache, f"35=R|{HEAD}146=0|") is None


def test_a_strict_session_uses_the_fast_path_too(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, data = Codec(DIALECT), joined(fields_of(order("44=0.45|58=x|453=1|448=p|452=3|")))
    for _ in range(2):
        assert codec.check(data)[1] == ()

    def refuse(*_: object) -> None:
        raise AssertionError("not decoded by a compiled decoder")

    monkeypatch.setattr(Codec, "_read", refuse)
    assert codec.check(data)[1] == ()
    assert codec.check(Frame(data))[1] == ()
    assert codec.decode_strict(data).problems == ()


@pytest.mark.parametrize(
    "body",
    [
        order("9001=x|"),
        order("269=1|"),
        order("43=N|"),
        order("453=1|452=3|448=p|"),
        order("453=1|448=p|9001=x|"),
    ],
)
def test_a_misplaced_field_is_accepted_by_lenient_decoding_only(body: str) -> None:
    cache = cache_trained_with(body)
    assert decode_fast(cache, body)
    assert not decodes_strictly(cache, body)


def test_a_value_beyond_its_limit_is_accepted_by_lenient_decoding_only() -> None:
    valid, invalid = order("79=63|44=1|"), order("79=64|44=1|")
    for cache in (cache_trained_with(valid), cache_trained_with(invalid)):
        assert decode_fast(cache, valid)
        assert decode_fast(cache, invalid)
        assert decodes_strictly(cache, valid)
        assert not decodes_strictly(cache, invalid)


def with_changed_fields(block: BlockLayout, changes: dict[int, dict[str, Any]]) -> BlockLayout:
    """Return a layout with changes to the fields that have these tags."""
    members = tuple(
        attrs.evolve(member, field=attrs.evolve(member.field, **changes.get(member.tag, {})))
        if isinstance(member, FieldMember)
        else member
        for member in block.members
    )
    return attrs.evolve(block, members=members)


def closed_roles() -> Dialect:
    """Return the tiny dialect with a closed code set for the role of a party."""
    party = with_changed_fields(tiny_dialect.PARTY, {452: {"open_codes": False}})
    body = tiny_dialect.ORDER.body
    members = tuple(
        attrs.evolve(member, entry=party) if isinstance(member, GroupMember) else member
        for member in body.members
    )
    layout = attrs.evolve(tiny_dialect.ORDER, body=attrs.evolve(body, members=members))
    return attrs.evolve(DIALECT, messages={"D": layout})


class MsgType(StrEnum):
    ORDER = "D"


class BeginString(StrEnum):
    FIXT11 = "FIXT.1.1"


def test_header_fields_use_the_code_classes_of_the_dialect() -> None:
    codes: dict[int, dict[str, Any]] = {8: {"codes": BeginString}, 35: {"codes": MsgType}}
    dialect = attrs.evolve(DIALECT, header=with_changed_fields(tiny_dialect.HEADER, codes))
    codec = trained_codec_of(dialect, VALID_FIELDS)
    for fields in VALID_FIELDS:
        data = joined(fields)
        check_agreement(codec, Codec(dialect), data)
        header: Any = codec.decode(data).header
        assert header.begin_string is BeginString.FIXT11
        # A MsgType that is not in the code set stays a plain string.
        assert header.msg_type.__class__ is (MsgType if header.msg_type == "D" else str)


@pytest.mark.usefixtures("short_runs")
def test_every_entry_of_a_run_is_checked_against_its_limits() -> None:
    closed = closed_roles()
    with_different_tags = ["448=p|452=3|", "448=q|", "448=r|452=35|"]
    with_the_same_tags = ["448=p|452=3|", "448=q|452=35|", "448=r|452=35|"]
    for entries in (with_different_tags, with_the_same_tags):
        valid = joined(fields_of(order(f"453=3|{''.join(entries)}")))
        for number in (0, 2):
            codec, changed = Codec(closed), list(entries)
            changed[number] = "448=p|452=9|"
            invalid = joined(fields_of(order(f"453=3|{''.join(changed)}")))
            for _ in range(2):
                assert codec.check(valid)[1] == ()
            assert codec._compiled.decode(valid, framed=False, strict=True) is not None
            assert codec._compiled.decode(invalid, framed=False, strict=True) is None
            assert codec._compiled.decode(invalid, framed=False) is not None
            assert [problem.tag for problem in codec.check(invalid)[1]] == [452]


@pytest.mark.parametrize(
    ("tag", "rare"),
    [
        ("44", ".5"),
        ("44", "1e5"),
        ("44", ""),
        ("54", "12"),
        ("45", "-1"),
        ("79", "9" * 19),
        ("126", "20260801-23:59:60"),
        ("126", "20260230-12:00:00"),
        ("64", "20260230"),
    ],
)
def test_rare_and_malformed_values_are_left_to_the_slow_path(tag: str, rare: str) -> None:
    plain = {"44": "1", "54": "1", "45": "1", "79": "1", "126": "20260801-23:59:59", "64": "20260801"}[tag]
    cache = cache_trained_with(order(f"{tag}={plain}|"))
    assert decode_fast(cache, order(f"{tag}={plain}|"))
    assert decode_fast(cache, order(f"{tag}={rare}|")) is None


def test_data_with_a_correct_length_is_accepted() -> None:
    body = f"35=A|{HEAD}95=3|96=abc|383=5|"
    cache = cache_trained_with(body)
    assert decode_fast(cache, body)
    assert decode_fast(cache, body.replace("abc", "a=c"))
    assert decode_fast(cache, body.replace("95=3", "95=03"))
    assert decode_fast(cache, body.replace("95=3", "95=2")) is None
    assert decode_fast(cache, body.replace("95=3", "95=9")) is None


def test_data_that_contains_soh_is_left_to_the_slow_path() -> None:
    data = joined([*fields_of(f"35=A|{HEAD}95=3|"), ("96", "a\x01b")])
    cache = DecoderCache(TABLES)
    for _ in range(3):
        learn(cache, data)
    assert cache.decode(data, framed=True) is None


def test_the_counter_of_a_short_group_is_part_of_the_shape() -> None:
    cache = cache_trained_with(order("453=2|448=p|448=q|"))
    assert decode_fast(cache, order("453=2|448=r|448=s|"))
    assert decode_fast(cache, order("453=1|448=r|448=s|")) is None
    assert decode_fast(cache, order("453=02|448=r|448=s|")) is None
    assert decode_fast(cache, order("453=1|448=r|")) is None


ENTRY = "269=1|270=0.5|"


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat more than two entries as a run, which keeps the examples short."""
    for module in (caching, decoders):
        monkeypatch.setattr(module, "MAX_SINGLE_ENTRIES", 2)


@pytest.mark.usefixtures("short_runs")
def test_one_shape_serves_any_number_of_entries_whose_fields_are_in_order() -> None:
    full = "269=2|270=1|271=5|273=10:00:00|"
    cache = cache_trained_with(book(ENTRY, full, ENTRY))
    assert decode_fast(cache, book(full))
    assert decode_fast(cache, book(*[ENTRY] * 50, full))
    assert decode_fast(cache, book("269=1|270=1|273=10:00:00|", *["269=1|270=1|271=2|"] * 7))
    assert decode_fast(cache, book(full).replace("268=1", "268=2")) is None
    assert decode_fast(cache, book()) is None
    assert decode_fast(cache, book(full.replace("269=2|270=1|", "270=1|269=2|"))) is None
    assert decode_fast(cache, book(full, "269=1|271=1|")) is None
    assert decode_fast(cache, book(full, "269=1|270=1|9001=x|")) is None
    assert decode_fast(cache, book(full, "269=1|270=x|")) is None


@pytest.mark.usefixtures("short_runs")
def test_runs_with_the_same_tags_need_few_shapes(
    compiled: list[decoders.Shape], monkeypatch: pytest.MonkeyPatch
) -> None:
    uniform = [ENTRY + "271=5|273=10:00:00|"] * 3
    mixed = [ENTRY + "271=5|", ENTRY + "273=10:00:00|", ENTRY]
    other_mix = [ENTRY + "271=5|", ENTRY + "271=5|273=10:00:00|", ENTRY + "271=5|"]
    cache = cache_trained_with(book(*uniform), book(*mixed), book(*uniform))
    assert decode_fast(cache, book(*uniform))
    assert len(compiled) == 2
    assert decode_fast(cache, book(*mixed))
    assert decode_fast(cache, book(*other_mix))
    monkeypatch.setattr(caching, "MAX_SHAPES_PER_KEY", 2)
    for _ in range(4):
        learn(cache, joined(fields_of(book(*other_mix))))
    assert len(compiled) == 2


@pytest.mark.usefixtures("short_runs")
def test_one_shape_serves_any_number_of_equal_entries_with_unknown_fields() -> None:
    entry = "269=1|9001=x|270=0.5|"
    cache = cache_trained_with(book(entry, entry, entry))
    assert decode_fast(cache, book(entry))
    assert decode_fast(cache, book(*[entry] * 9, rest="")).md_entries[8].unknown == ((9001, b"x"),)  # type: ignore[union-attr]
    assert decode_fast(cache, book(entry, "269=1|270=0.5|")) is None


@pytest.mark.usefixtures("short_runs")
def test_a_run_of_equal_entries_accepts_only_entries_of_this_form() -> None:
    cache = cache_trained_with(book(ENTRY, ENTRY, ENTRY))
    assert decode_fast(cache, book(*[ENTRY] * 7))
    assert decode_fast(cache, book(ENTRY, "269=1|270=0.5|271=5|", ENTRY)) is None
    assert decode_fast(cache, book(ENTRY, "269=1|270=0.5|9001=x|", ENTRY)) is None


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize(
    "body",
    [
        book(ENTRY, ENTRY, ENTRY, ENTRY, rest=f"58=x|{ENTRY}"),
        book(ENTRY, f"58=x|{ENTRY}", ENTRY, rest="58=x|"),
        book(f"1{ENTRY}", ENTRY, ENTRY, rest="58=x|"),
        book(ENTRY, f"1{ENTRY}", ENTRY, rest="58=x|"),
        book(f"9001=x|{ENTRY}", ENTRY, ENTRY, rest="58=x|"),
        book(ENTRY, ENTRY, ENTRY, rest=f"58={ENTRY}"),
        book(ENTRY, ENTRY, ENTRY, rest="58=x|").replace("55=K|", f"55=K|{ENTRY}"),
        book("269=1|270=0.5", ENTRY, ENTRY, rest="58=x|"),
    ],
)
def test_a_run_matches_only_consecutive_entries_at_its_own_position(body: str) -> None:
    cache = cache_trained_with(book(ENTRY, ENTRY, ENTRY, rest="58=x|"))
    assert decode_fast(cache, book(ENTRY, rest="58=y|"))
    assert decode_fast(cache, body) is None


@pytest.mark.usefixtures("short_runs")
def test_a_group_may_be_empty() -> None:
    cache = cache_trained_with(book(ENTRY, ENTRY, ENTRY, rest="58=x|"))
    assert decode_fast(cache, book(rest="58=x|")) is None
    cache = cache_trained_with(book(rest="58=x|"))
    assert decode_fast(cache, book(rest="58=x|"))
    assert decode_fast(cache, book(rest=f"58={ENTRY}")) is None


@pytest.mark.usefixtures("short_runs")
def test_two_groups_may_be_runs() -> None:
    parties = "453=3|448=p|448=q|448=r|"
    cache = cache_trained_with(book(ENTRY, ENTRY, ENTRY, rest=parties))
    found: Any = decode_fast(cache, book(*[ENTRY] * 5, rest="453=1|448=z|"))
    assert (len(found.md_entries), found.party_ids[0].party_id) == (5, "z")
    assert decode_fast(cache, book(*[ENTRY] * 5, rest="453=2|448=z|")) is None
    assert decode_fast(cache, book(*[ENTRY] * 5, rest="448=z|453=1|")) is None


@pytest.mark.usefixtures("short_runs")
def test_a_counter_that_claims_too_many_entries_costs_no_memory() -> None:
    cache = cache_trained_with(book(ENTRY, ENTRY, ENTRY))
    assert decode_fast(cache, book(ENTRY, ENTRY, ENTRY).replace("268=3", "268=999999999999999999")) is None


@pytest.mark.usefixtures("short_runs")
def test_entries_with_a_single_field_also_form_a_run() -> None:
    body = order("453=3|448=p|448=q|448=r|")
    cache = cache_trained_with(body)
    assert decode_fast(cache, body)
    request = f"35=R|{HEAD}146=4|38=1|38=2|38=3|38=4|79=5|"
    assert decode_fast(cache_trained_with(request), request)
    nested = order("453=1|448=p|802=3|523=s|523=t|523=u|")
    assert decode_fast(cache_trained_with(nested), nested)


@pytest.mark.usefixtures("short_runs")
def test_fields_after_a_run_belong_to_the_body() -> None:
    cache = cache_trained_with(book(ENTRY, ENTRY, ENTRY, rest="453=3|448=p|448=q|448=r|58=x|"))
    assert decode_fast(cache, book(ENTRY, rest="453=1|448=p|58=y|"))
    assert decode_fast(cache, book(ENTRY, rest="58=y|")) is None


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize(
    "body",
    [
        book("269=1|9001=x|270=1|", ENTRY, "269=1|270=1|9001=x|"),
        order("453=3|448=p|448=q|354=1|355=x|448=r|"),
        order("453=3|448=p|802=1|523=s|448=q|448=r|"),
    ],
)
def test_irregular_entries_are_compiled_one_by_one(body: str) -> None:
    cache = cache_trained_with(body)
    assert decode_fast(cache, body)


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize(
    "body",
    [
        book(ENTRY, "269=1|58=x|270=1|"),
        book(ENTRY, ENTRY, "269=1|58=x|270=1|"),
        f"35=W|{HEAD}55=K|268=3|9001=x|{ENTRY * 3}",
        f"35=W|{HEAD}55=K|268=1|9001=x|{ENTRY}",
    ],
)
def test_groups_interleaved_with_other_fields_are_not_compiled(body: str) -> None:
    data = joined(fields_of(body))
    assert UNTRAINED_CODEC.decode(data).problems == ()
    assert DecoderWriter(Explainer(TABLES, text(data)), TABLES.data_tags, Decimals(Decimal)).pattern == ""
    assert decode_fast(cache_trained_with(body), body) is None


def test_a_shape_with_too_many_fields_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "MAX_VALUES", 9)
    cache = cache_trained_with(order("58=x|"), order("58=x|79=5|44=1|54=1|"))
    assert decode_fast(cache, order("58=x|"))
    assert decode_fast(cache, order("58=x|79=5|44=1|54=1|")) is None


@pytest.mark.parametrize("time", ["", "272=20260817|273=16:00:00.123|"])
def test_prices_in_long_groups_are_cached_and_sizes_are_not(time: str) -> None:
    entries = "".join(f"269={n % 2}|270=0.{n + 10}|271={n}.50|{time}" for n in range(8))
    data = joined(fields_of(f"35=W|{HEAD}55=K|268=8|{entries}"))
    codec = Codec(KALSHI)
    read: list[Any] = [codec.decode(data) for _ in range(4)]
    expected = dump(explain(UNTRAINED_KALSHI_CODEC, data)[0])
    assert all(dump(message) == expected for message in read)
    (first, again) = (message.md_entries[7] for message in read[2:])
    assert first.md_entry_px is again.md_entry_px
    assert first.md_entry_size is not again.md_entry_size


# --- fields before MsgSeqNum ----------------------------------------------------------------------------


def decode_and_compare(body: str, codec: Codec) -> Message:
    """Decode a message and check that the slow path gives the same result."""
    data = joined(fields_of(body))
    found = codec.decode(data)
    assert dump(found) == dump(explain(UNTRAINED_CODEC, data)[0])
    return found


def test_messages_with_the_same_head_and_different_shapes_are_distinguished(codec: Codec) -> None:
    bodies = [order("58=xyz|"), order("79=123|"), order("44=1.5|"), order("355=xy|"), order("58=abc|")]
    heads = {joined(fields_of(body)).partition(b"34=")[0] for body in bodies}
    assert len(heads) == 1
    for body in bodies * 4:
        decode_and_compare(body, codec)
    assert len(codec._compiled._heads) == 1


def test_messages_of_different_sessions_are_distinguished(codec: Codec) -> None:
    for number in range(40):
        body = order("58=x|").replace("49=a", f"49={number % 5}")
        header = decode_and_compare(body, codec).header
        assert (header.sender_comp_id, header.target_comp_id) == (str(number % 5), "b")
    assert len(codec._compiled._heads) == 5


def test_cached_heads_are_bounded(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MAX_HEADS", 7)
    for number in range(100):
        decode_and_compare(order(f"58={'x' * (number % 23 + 1)}|"), codec)
        assert len(codec._compiled._heads) <= 7


@pytest.mark.parametrize("size", [caching.MAX_HEAD_SIZE, caching.MAX_HEAD_SIZE + 1, 250_000])
def test_long_heads_are_not_cached(codec: Codec, size: int) -> None:
    body = order("58=x|")
    usual = joined(fields_of(body)).index(b"34=")
    for filler in ("a" * (size - usual + 1), "b" * (size - usual + 1)):
        # BodyLength is in the head and gains digits, too; shorten the filler by as many bytes.
        long = body.replace("49=a", f"49={filler}")
        extra_digits = joined(fields_of(long)).index(b"34=") - size
        long = long.replace(filler, filler[extra_digits:])
        assert joined(fields_of(long)).index(b"34=") == size
        for _ in range(4):
            assert decode_and_compare(long, codec).header.sender_comp_id == filler[extra_digits:]
    assert [len(head) for head in codec._compiled._heads] == (
        [size] * 2 if size <= caching.MAX_HEAD_SIZE else []
    )


@pytest.mark.parametrize(
    "head",
    [
        "49=a|56=b|52=20260801-12:30:15.123|34=7|",
        "49=a|56=b|9001=u|34=7|52=20260801-12:30:15.123|",
        "627=1|628=x|49=a|56=b|34=7|52=20260801-12:30:15.123|",
    ],
)
def test_rarely_repeated_heads_are_not_cached(head: str) -> None:
    body = f"35=D|{head}11=a|38=1|"
    cache = cache_trained_with(body)
    found = decode_fast(cache, body)
    assert found or "628" in head or "9001" in head
    assert not cache._heads


def test_the_length_of_data_before_the_sequence_number_is_checked(codec: Codec) -> None:
    body = f"35=D|95=3|96=abc|{HEAD}11=a|38=1|"
    for value in ("abc", "xyz", "a=c"):
        decode_and_compare(body.replace("abc", value), codec)
    decode_and_compare(body.replace("95=3", "95=2"), codec)


def test_a_message_without_a_sequence_number_takes_the_slow_path(codec: Codec) -> None:
    for _ in range(3):
        found = decode_and_compare(order("").replace("34=7|", ""), codec)
        assert [problem.tag for problem in found.problems] == [34]


def test_subclasses_of_bytes_are_accepted() -> None:
    class BytesSubclass(bytes):
        pass

    data = BytesSubclass(joined(fields_of(order("58=x|"))))
    for _ in range(3):
        assert dump(TRAINED_CODEC.decode(data)) == dump(explain(UNTRAINED_CODEC, data)[0])


@pytest.mark.parametrize("text", ["x" * 80, "x" * 230, "x" * 600, "é" * 80, "é" * 230, "é" * 600])
def test_checksums_are_right_for_any_length(codec: Codec, text: str) -> None:
    for _ in range(3):
        decode_and_compare(order(f"58={text}|"), codec)
    wrong = bytearray(joined(fields_of(order(f"58={text}|"))))
    wrong[-30] ^= 1
    with pytest.raises(DecodeError):
        codec.decode(bytes(wrong))


@pytest.mark.parametrize("total", [b"256", b"300", b"999"])
def test_an_impossible_checksum_is_refused(total: bytes) -> None:
    data = joined(fields_of(order("58=x|")))
    for _ in range(3):
        TRAINED_CODEC.decode(data)
    with pytest.raises(DecodeError):
        TRAINED_CODEC.decode(data[:-4] + total + b"\x01")


def test_messages_share_no_mutable_state(codec: Codec) -> None:
    body = book(*["269=1|270=0.40|271=5|"] * 6, rest="453=1|448=p|")
    decoded: list[Any] = [decode_and_compare(body, codec) for _ in range(5)]
    first, second = decoded[3:]
    for block in (first.md_entries[0], first, first.header, first.trailer):
        for member in block.LAYOUT.members:
            if isinstance(getattr(block, member.attribute), list):
                getattr(block, member.attribute).clear()
            setattr(block, member.attribute, "changed")
        block.unknown = ((9, b"changed"),)
    assert dump(second) == dump(explain(UNTRAINED_CODEC, joined(fields_of(body)))[0])


# --- bounds ---------------------------------------------------------------------------------------------


def orders_of_different_shapes(count: int) -> list[str]:
    return [order(f"{number}=x|") for number in range(9001, 9001 + count)]


def test_shapes_that_occur_once_are_not_compiled_and_use_little_memory(
    compiled: list[decoders.Shape], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "MAX_SIGHTINGS", 20)
    cache = DecoderCache(TABLES)
    for body in orders_of_different_shapes(70):
        learn(cache, joined(fields_of(body)))
        assert len(cache._sightings) <= 20
    assert compiled == []


def test_the_number_of_compiled_shapes_is_bounded(
    codec: Codec, compiled: list[decoders.Shape], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "MAX_SHAPES", 5)
    for body in [body for body in orders_of_different_shapes(60) for _ in range(3)] * 2:
        decode_and_compare(body, codec)
        assert len(codec._compiled._shapes) <= 5
    assert len(compiled) == 5 * (1 + caching.MAX_FLUSHES)
    assert len(codec._compiled._shapes) == 5


def test_a_shape_is_compiled_when_decoding_it_has_cost_as_much_as_compiling(
    codec: Codec, compiled: list[decoders.Shape], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "SIGHTINGS_TO_COMPILE", SIGHTINGS)
    for number in range(2 * SIGHTINGS):
        decode_and_compare(order("58=x|" if number % 2 else "44=1|"), codec)
        assert len(compiled) == max(0, number - 2 * SIGHTINGS + 3)


def test_shapes_with_the_same_tags_are_counted_together_and_all_compiled(
    codec: Codec, compiled: list[decoders.Shape], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "SIGHTINGS_TO_COMPILE", 10)
    bodies = [order("58=x|44=1|"), order("44=1|58=x|")]
    for number in range(18):
        decode_and_compare(bodies[number % 2], codec)
    assert len(compiled) == 1
    for number in range(12):
        decode_and_compare(bodies[number % 2], codec)
    assert len(compiled) == 2
    assert all(decode_fast(codec._compiled, body) is not None for body in bodies)


def test_a_value_left_to_the_reader_does_not_prevent_compiling_other_shapes(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "SIGHTINGS_TO_COMPILE", 10)
    plain, rare, other = order("58=x|44=1|"), order("58=x|44=.5|"), order("44=1|58=x|")
    for _ in range(10):
        decode_and_compare(plain, codec)
    # The tenth of these messages is a `rare` one, but its shape is already compiled. The shape of `other`
    # must still be compiled.
    for number in range(20):
        decode_and_compare((other, rare)[number % 2], codec)
    assert decode_fast(codec._compiled, other) is not None


def test_the_total_size_of_the_patterns_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MAX_PATTERN_SIZE", 2000)
    cache = DecoderCache(TABLES)
    most = 0
    for number, body in enumerate(orders_of_different_shapes(60)):
        other = body if number % 2 else body.replace("35=D|", "35=R|").replace("11=a|38=1|", "146=0|")
        before = cache._flushes
        for _ in range(2):
            learn(cache, joined(fields_of(other)))
        kept = sum(len(shape.pattern) for shapes in cache._shapes.values() for shape in shapes)
        assert kept == cache._pattern_size
        most = max(most, kept)
        if decode_fast(cache, other) is None:
            assert before == caching.MAX_FLUSHES
    assert cache._flushes == caching.MAX_FLUSHES
    assert 1000 < most <= 2000


def test_shapes_that_cannot_be_compiled_count_towards_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(caching, "MAX_SHAPES", 3)
    message = UNTRAINED_CODEC.decode(joined(fields_of(order(""))))
    written = []
    write = DecoderWriter._write

    def recording(writer: DecoderWriter, explained: Explainer) -> None:
        written.append(writer)
        write(writer, explained)

    monkeypatch.setattr(DecoderWriter, "_write", recording)
    cache = DecoderCache(TABLES)
    for body in orders_of_different_shapes(5):
        data = text(joined(fields_of(body.replace("34=7|", ""))))
        for _ in range(6):
            cache.learn(data, split(data), message)
        assert len(cache._shapes) <= 3
    assert len(written) == 5


@pytest.mark.parametrize("count", [5, 300])
def test_a_message_is_only_matched_against_shapes_with_its_tags(count: int) -> None:
    tried: list[int] = []

    def recorded(shape: decoders.Shape, number: int) -> decoders.Shape:
        def read(data: bytes, at: int, head: decoders.Head, framed: bool, strict: bool) -> Message | None:
            tried.append(number)
            return shape.read(data, at, head, framed, strict)

        return attrs.evolve(shape, read=read)

    levels = [f"269=1|270=0.40|{number}=x|" for number in range(9001, 9009)]
    cache = cache_trained_with(*(book(*[level] * 5) for level in levels), book(levels[0]))
    assert len(cache._shapes) == 9
    for number, (key, shapes) in enumerate(cache._shapes.items()):
        cache._shapes[key] = tuple(recorded(shape, number) for shape in shapes)
    assert cache.decode(joined(fields_of(book(*["269=1|270=0.40|9099=x|"] * count))), framed=True) is None
    assert tried == []
    assert cache.decode(joined(fields_of(book(*[levels[-1]] * count))), framed=True) is not None
    assert tried == [7]
    tried.clear()
    assert cache.decode(joined(fields_of(book(levels[0]))), framed=True) is not None
    assert tried == [8]


def test_a_shape_whose_values_never_match_is_compiled_once(
    codec: Codec, compiled: list[decoders.Shape]
) -> None:
    for _ in range(5):
        codec.decode(frame("D", "11=a|38=.5|"))
    assert len(compiled) == 1


def test_invalid_messages_and_unknown_types_are_never_learned(
    codec: Codec, compiled: list[decoders.Shape]
) -> None:
    for _ in range(5):
        codec.decode(frame("D", "11=a|"))
        codec.decode(frame("D", "11=a|38=1|11=b|"))
        codec.decode(frame("ZZ", "11=a|"))
    assert compiled == []


def test_a_known_shape_with_a_wrong_length_or_sum_is_refused(codec: Codec) -> None:
    data = joined(fields_of(order("58=x|")))
    for _ in range(3):
        codec.decode(data)
    end = data.index(b"\x0135=")
    start = data.index(b"\x019=") + 3
    length = int(data[start:end])
    total = (int(data[-4:-1]) + 1) % 256
    for wrong in (
        data[:-4] + b"%03d\x01" % total,
        data.replace(b"58=x", b"58=y"),
        data.replace(b"58=x", b"58=xy"),
        data[:start] + b"%d" % (length + 1) + data[end:],
        data[:start] + b"0%d" % length + data[end:],
    ):
        assert not is_frame(wrong)
        with pytest.raises(DecodeError):
            codec.decode(wrong)


@pytest.mark.parametrize(("place", "tag"), [(3, b"35="), (4, b"10=")])
def test_a_message_without_a_valid_frame_is_not_compiled(codec: Codec, place: int, tag: bytes) -> None:
    fields = joined(fields_of(order(""))).split(b"\x01")[:-1]
    misplaced = next(field for field in fields if field.startswith(tag))
    fields.remove(misplaced)
    fields.insert(place, misplaced)
    data = b"".join(field + b"\x01" for field in fields)
    for _ in range(3):
        assert codec.decode(Frame(data)).problems == ()
    assert [*codec._compiled._shapes.values()] == [()]
    with pytest.raises(DecodeError):
        codec.decode(data)


def test_a_short_group_uses_the_decoder_of_long_groups_until_its_own_shape_is_compiled() -> None:
    level = "269=1|270=0.40|271=5|"
    one, many = book(level), book(*[level] * 5)
    cache = cache_trained_with(many)
    assert decode_fast(cache, one)
    for _ in range(2):
        learn(cache, joined(fields_of(one)))
    assert [shape.pattern.count("268=1\x01") for (shape,) in cache._shapes.values()] == [0, 1]
    assert decode_fast(cache, one)
    assert decode_fast(cache, many)
