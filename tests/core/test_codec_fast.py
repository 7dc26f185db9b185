"""The fast path: it says what the careful path says, of every input, and never grows without bound."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from kalshi_fix_sansio._generated import DIALECT as KALSHI
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec import Codec, fast, shapes
from kalshi_fix_sansio.codec.fast import ShapeCache
from kalshi_fix_sansio.codec.plans import Plans
from kalshi_fix_sansio.codec.reader import Reader
from kalshi_fix_sansio.codec.shapes import Decimals, ShapeWriter
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.framing import Frame, is_frame
from kalshi_fix_sansio.layout import Dialect
from tests.core.tiny_dialect import DIALECT, frame
from tests.core.wire import HEAD, SOUND, Fields, damaged, dump, fields_of, joined
from tests.samples import full, minimal

CAREFUL = Codec(DIALECT)
KALSHI_CAREFUL = Codec(KALSHI)
PLANS = Plans(DIALECT)


SOUND_FIELDS = [fields_of(body) for body in SOUND]


def kalshi_messages() -> list[Fields]:
    """The least and the fullest message of every type of the Kalshi dialect, as fields."""
    codec = Codec(KALSHI)
    found = []
    for layout in KALSHI.messages.values():
        for message in (minimal(layout.body), full(layout.body)):
            head = full(KALSHI.header)
            head.unknown = ()
            inner = codec.encode(message, head).split(b"\x01", 2)[2].rpartition(b"10=")[0]
            items = inner.decode("latin-1").split("\x01")[:-1]
            found.append([(tag, value) for tag, _, value in (item.partition("=") for item in items)])
    return found


KALSHI_FIELDS = kalshi_messages()


def trained(dialect: Dialect, sound: list[Fields]) -> Codec:
    """A codec that knows the shape of every sound message."""
    codec = Codec(dialect)
    for fields in sound * 2:
        codec.decode(joined(fields))
    return codec


TRAINED = trained(DIALECT, SOUND_FIELDS)
KALSHI_TRAINED = trained(KALSHI, KALSHI_FIELDS)


@pytest.mark.parametrize("body", SOUND)
def test_sound_messages_have_no_problems_and_decode_the_same_way_fast(body: str) -> None:
    whole = joined(fields_of(body))
    careful, _ = CAREFUL.check(whole)
    assert careful.problems == ()
    for _ in range(3):
        assert dump(TRAINED.decode(whole)) == dump(careful)


@settings(max_examples=600)
@given(damaged(SOUND_FIELDS))
def test_fast_and_careful_agree_on_damaged_messages(whole: bytes) -> None:
    expected = dump(CAREFUL.check(whole)[0])
    for _ in range(3):
        assert dump(TRAINED.decode(whole)) == expected


@settings(max_examples=150)
@given(damaged(SOUND_FIELDS))
def test_fast_and_careful_agree_on_shapes_learnt_from_damaged_messages(whole: bytes) -> None:
    expected = dump(CAREFUL.check(whole)[0])
    codec = Codec(DIALECT)
    for _ in range(3):
        assert dump(codec.decode(whole)) == expected


@settings(max_examples=400)
@given(damaged(KALSHI_FIELDS))
def test_fast_and_careful_agree_on_damaged_messages_of_kalshi(whole: bytes) -> None:
    expected = dump(KALSHI_CAREFUL.check(whole)[0])
    for _ in range(2):
        assert dump(KALSHI_TRAINED.decode(whole)) == expected


# --- what the fast path takes, and what it leaves ------------------------------------------------------


def text(whole: bytes) -> str:
    return whole.decode("latin-1")


def learnt(*bodies: str) -> ShapeCache:
    """A cache that has seen each of these messages twice."""
    cache = ShapeCache(PLANS)
    for body in bodies:
        for _ in range(2):
            cache.learn(Reader(PLANS, text(joined(fields_of(body)))))
    return cache


def taken(cache: ShapeCache, body: str) -> Message | None:
    """What the fast path alone says of a message."""
    whole = joined(fields_of(body))
    found = cache.decode(text(whole))
    if found is not None:
        assert dump(found) == dump(CAREFUL.check(whole)[0])
    return found


def order(body: str) -> str:
    return f"35=D|{HEAD}11=a|38=1|{body}"


def book(*entries: str, rest: str = "") -> str:
    return f"35=W|{HEAD}55=K|268={len(entries)}|{''.join(entries)}{rest}"


@pytest.mark.parametrize("body", [body for body in SOUND if "35=ZZ" not in body and "270=.7" not in body])
def test_a_shape_is_known_from_the_second_sighting_on(body: str) -> None:
    cache = ShapeCache(PLANS)
    reader = Reader(PLANS, text(joined(fields_of(body))))
    cache.learn(reader)
    assert taken(cache, body) is None
    cache.learn(reader)
    assert taken(cache, body) is not None


def test_other_values_are_taken_and_other_tags_are_not() -> None:
    cache = learnt(order("44=0.45|58=x|"))
    assert taken(cache, order("44=99|58=a=b é|"))
    assert taken(cache, order("58=x|44=0.45|")) is None
    assert taken(cache, order("44=0.45|")) is None
    assert taken(cache, order("44=0.45|58=x|9001=y|")) is None
    assert taken(cache, f"35=R|{HEAD}146=0|") is None


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
def test_rare_and_malformed_values_are_left_to_the_careful_path(tag: str, rare: str) -> None:
    plain = {"44": "1", "54": "1", "45": "1", "79": "1", "126": "20260801-23:59:59", "64": "20260801"}[tag]
    cache = learnt(order(f"{tag}={plain}|"))
    assert taken(cache, order(f"{tag}={plain}|"))
    assert taken(cache, order(f"{tag}={rare}|")) is None


def test_data_is_taken_if_its_length_is_right() -> None:
    body = f"35=A|{HEAD}95=3|96=abc|383=5|"
    cache = learnt(body)
    assert taken(cache, body)
    assert taken(cache, body.replace("abc", "a=c"))
    assert taken(cache, body.replace("95=3", "95=03"))
    assert taken(cache, body.replace("95=3", "95=2")) is None
    assert taken(cache, body.replace("95=3", "95=9")) is None


def test_data_with_soh_in_it_goes_the_careful_way() -> None:
    whole = joined([*fields_of(f"35=A|{HEAD}95=3|"), ("96", "a\x01b")])
    cache = ShapeCache(PLANS)
    for _ in range(3):
        cache.learn(Reader(PLANS, text(whole)))
    assert cache.decode(text(whole)) is None


def test_a_counter_is_part_of_a_short_group_s_shape() -> None:
    cache = learnt(order("453=2|448=p|448=q|"))
    assert taken(cache, order("453=2|448=r|448=s|"))
    assert taken(cache, order("453=1|448=r|448=s|")) is None
    assert taken(cache, order("453=02|448=r|448=s|")) is None
    assert taken(cache, order("453=1|448=r|")) is None


ENTRY = "269=1|270=0.5|"


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than two entries are a run, so that examples stay short."""
    monkeypatch.setattr(shapes, "MAX_SINGLE_ENTRIES", 2)


@pytest.mark.usefixtures("short_runs")
def test_one_shape_serves_any_number_of_ordered_entries() -> None:
    cache = learnt(book(ENTRY, "269=2|270=1|271=5|273=10:00:00|", ENTRY))
    assert taken(cache, book(ENTRY))
    assert taken(cache, book(*[ENTRY] * 50))
    assert taken(cache, book(*["269=1|270=1|271=2|272=20260801|"] * 7, ENTRY))
    assert taken(cache, book(ENTRY).replace("268=1", "268=2")) is None
    assert taken(cache, book()) is None
    assert taken(cache, book("270=1|269=1|")) is None
    assert taken(cache, book(ENTRY, "269=1|271=1|")) is None
    assert taken(cache, book(ENTRY, "269=1|270=1|9001=x|")) is None
    assert taken(cache, book(ENTRY, "269=1|270=x|")) is None


@pytest.mark.usefixtures("short_runs")
def test_one_shape_serves_any_number_of_like_entries_with_unknown_fields() -> None:
    like = "269=1|9001=x|270=0.5|"
    cache = learnt(book(like, like, like))
    assert taken(cache, book(like))
    assert taken(cache, book(*[like] * 9, rest="")).md_entries[8].unknown == ((9001, b"x"),)  # type: ignore[union-attr]
    assert taken(cache, book(like, "269=1|270=0.5|")) is None


@pytest.mark.usefixtures("short_runs")
def test_entries_of_one_field_make_a_run_too() -> None:
    body = order("453=3|448=p|448=q|448=r|")
    cache = learnt(body)
    assert taken(cache, body)
    alike = f"35=R|{HEAD}146=4|38=1|38=2|38=3|38=4|79=5|"
    assert taken(learnt(alike), alike)
    lone = order("453=1|448=p|802=3|523=s|523=t|523=u|")
    assert taken(learnt(lone), lone)


@pytest.mark.usefixtures("short_runs")
def test_what_follows_a_run_is_the_body_s() -> None:
    cache = learnt(book(ENTRY, ENTRY, ENTRY, rest="453=3|448=p|448=q|448=r|58=x|"))
    assert taken(cache, book(ENTRY, rest="453=1|448=p|58=y|"))
    assert taken(cache, book(ENTRY, rest="58=y|")) is None


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize(
    "body",
    [
        book("269=1|9001=x|270=1|", ENTRY, "269=1|270=1|9001=x|"),
        order("453=3|448=p|448=q|354=1|355=x|448=r|"),
        order("453=3|448=p|802=1|523=s|448=q|448=r|"),
    ],
)
def test_irregular_entries_are_spelt_out(body: str) -> None:
    cache = learnt(body)
    assert taken(cache, body)


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
def test_groups_that_other_fields_run_through_get_no_code(body: str) -> None:
    whole = joined(fields_of(body))
    assert CAREFUL.decode(whole).problems == ()
    assert ShapeWriter(Reader(PLANS, text(whole)), PLANS.data_tags, Decimals()).pattern == ""
    assert taken(learnt(body), body) is None


def test_a_shape_of_too_many_fields_gets_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MAX_VALUES", 9)
    cache = learnt(order("58=x|"), order("58=x|79=5|44=1|54=1|"))
    assert taken(cache, order("58=x|"))
    assert taken(cache, order("58=x|79=5|44=1|54=1|")) is None


# --- bounds ---------------------------------------------------------------------------------------------


def shapes_of_orders() -> Iterator[str]:
    """Endlessly many shapes."""
    number = 9001
    while True:
        yield order(f"{number}=x|")
        number += 1


class Counted:
    """Counts the shapes that are given code."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        compile_shape = ShapeWriter.compile

        def counting(writer: ShapeWriter) -> shapes.Shape:
            self.count += 1
            return compile_shape(writer)

        monkeypatch.setattr(ShapeWriter, "compile", counting)


def test_shapes_that_come_once_cost_no_code_and_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Counted(monkeypatch)
    monkeypatch.setattr(fast, "MAX_SIGHTINGS", 20)
    cache = ShapeCache(PLANS)
    for _, body in zip(range(70), shapes_of_orders(), strict=False):
        cache.learn(Reader(PLANS, text(joined(fields_of(body)))))
        assert len(cache._sightings) <= 20
    assert compiled.count == 0


def test_ever_new_shapes_that_come_twice_cost_a_bounded_share(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Counted(monkeypatch)
    monkeypatch.setattr(fast, "FREE_COMPILATIONS", 5)
    monkeypatch.setattr(fast, "READINGS_PER_COMPILATION", 20)
    monkeypatch.setattr(fast, "MAX_SHAPES_PER_TYPE", 3)
    codec = Codec(DIALECT)
    for _, body in zip(range(100), shapes_of_orders(), strict=False):
        for _ in range(2):
            codec.decode(joined(fields_of(body)))
    assert 5 < compiled.count <= 5 + 200 // 20
    assert len(codec._shapes._shapes["D\x01"]) == 3


def test_the_shape_not_used_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "MAX_SHAPES_PER_TYPE", 2)
    first, second, third = order("58=x|"), order("79=5|"), order("44=1|")
    cache = learnt(first, second)
    assert taken(cache, first)
    cache.learn(Reader(PLANS, text(joined(fields_of(third)))))
    cache.learn(Reader(PLANS, text(joined(fields_of(third)))))
    assert taken(cache, third)
    assert taken(cache, first)
    assert taken(cache, second) is None


def test_a_shape_whose_values_never_fit_is_given_code_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Counted(monkeypatch)
    codec = Codec(DIALECT)
    for _ in range(5):
        codec.decode(frame("D", "11=a|38=.5|"))
    assert compiled.count == 1


def test_messages_with_problems_and_of_unknown_type_are_never_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Counted(monkeypatch)
    codec = Codec(DIALECT)
    for _ in range(5):
        codec.decode(frame("D", "11=a|"))
        codec.decode(frame("D", "11=a|38=1|11=b|"))
        codec.decode(frame("ZZ", "11=a|"))
    assert compiled.count == 0


def test_decimals_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MAX_DECIMALS", 3)
    decimals = Decimals()
    assert decimals["0.50"] is decimals["0.50"]
    assert [str(decimals[value]) for value in ("1", "2", "3", "0.50")] == ["1", "2", "3", "0.50"]
    assert len(decimals) <= 3


def test_a_known_shape_with_a_wrong_length_or_sum_is_no_message() -> None:
    codec = Codec(DIALECT)
    whole = joined(fields_of(order("58=x|")))
    for _ in range(3):
        codec.decode(whole)
    end = whole.index(b"\x0135=")
    start = whole.index(b"\x019=") + 3
    length = int(whole[start:end])
    total = (int(whole[-4:-1]) + 1) % 256
    for wrong in (
        whole[:-4] + b"%03d\x01" % total,
        whole.replace(b"58=x", b"58=y"),
        whole[:start] + b"%d" % (length + 1) + whole[end:],
        whole[:start] + b"0%d" % length + whole[end:],
    ):
        assert not is_frame(wrong)
        with pytest.raises(DecodeError):
            codec.decode(wrong)


@pytest.mark.parametrize(("place", "tag"), [(3, b"35="), (4, b"10=")])
def test_a_shape_that_is_no_frame_vouches_for_none(place: int, tag: bytes) -> None:
    fields = joined(fields_of(order(""))).split(b"\x01")[:-1]
    moved = next(field for field in fields if field.startswith(tag))
    fields.remove(moved)
    fields.insert(place, moved)
    data = b"".join(field + b"\x01" for field in fields)
    codec = Codec(DIALECT)
    for _ in range(3):
        assert codec.decode(Frame(data)).problems == ()
    assert codec._shapes._shapes
    with pytest.raises(DecodeError):
        codec.decode(data)


def test_a_shape_of_any_length_does_not_stand_before_one_of_this_length() -> None:
    level = "269=1|270=0.40|271=5|"
    one, many = book(level), book(*[level] * 5)
    cache = learnt(one, many)
    (shapes_of_book,) = cache._shapes.values()
    assert [shape.has_runs for shape in shapes_of_book] == [False, True]
    assert taken(cache, many)
    assert taken(cache, one)
    assert [shape.has_runs for shape in shapes_of_book] == [False, True]


def test_a_shape_of_any_length_is_the_last_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "MAX_SHAPES_PER_TYPE", 2)
    level = "269=1|270=0.40|271=5|"
    cache = learnt(book(*[level] * 5), book(level), book(level, level))
    (kept,) = cache._shapes.values()
    assert [shape.has_runs for shape in kept] == [False, True]
    assert taken(cache, book(level, level))
    assert [shape.has_runs for shape in learnt(book(*[level] * 5))._shapes["W\x01"]] == [True]
