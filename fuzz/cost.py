"""CPU time of hostile inputs: `python -m fuzz cost` measures each way of building inputs with n, 2n
and 4n bytes.

From n to 4n bytes, linear time quadruples; quadratic time grows sixteenfold. The measure is the lowest
CPU time of several runs. A time is reported only if it is long enough to measure, and excessive in every
repetition. All cases together take about 20 seconds."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import attrs

from codegen.diff.documents import pages, quickfix
from codegen.errors import SpecError
from codegen.read.nodes import read_yaml
from fuzz import wire
from fuzz.targets import session as sessions
from fuzz.targets.diff import _VOCABULARY
from fuzz.wire import WireDialect
from kalshi_fix_adapters.logs.reader import LogReader
from kalshi_fix_adapters.observe.redact import Transcript
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.compiled.cache import SIGHTINGS_TO_COMPILE
from kalshi_fix_sansio.dialect.layout import FieldMember, GroupMember, Kind, MessageLayout
from kalshi_fix_sansio.framing import Framer
from tests import samples
from tests.codec.wire import explain

SIZE: Final = 4 * 1024
"""Size of the smallest input, in bytes."""
MAX_GROWTH: Final = 10.0
"""Maximum time for 4n bytes, as a multiple of that for n bytes."""
MAX_EXPLAINER_RATIO: Final = 3.0
"""Maximum time to decode a message, as a multiple of the time that the explainer, the slow decoder, takes."""
NOTICEABLE_SECONDS: Final = 0.02
"""CPU time in seconds; inputs of 4n bytes that take no longer are never reported."""
_RUNS = 3
MEASUREMENTS: Final = 3
"""Number of consecutive measurements that must be excessive, because another program may disturb a single
one."""
_CHUNK = 4096

Text = TypeVar("Text", bytes, str)


@attrs.frozen
class Case:
    """One way of building inputs, and the function to measure."""

    name: str
    make: Callable[[int], Any]
    """Returns an input of about the given size in bytes."""
    act: Callable[[Any], object]
    """The function that is measured; its argument is the input."""
    with_explainer: Callable[[Any], object] | None = None
    """Decodes the input with the explainer only."""


def seconds(work: Callable[[], object]) -> float:
    """Return the lowest CPU time of several runs."""
    fastest = float("inf")
    gc.collect()
    for _ in range(_RUNS):
        begin = time.process_time()
        work()
        fastest = min(fastest, time.process_time() - begin)
        if fastest < NOTICEABLE_SECONDS or fastest > 1:
            break
    return fastest


def persistent_excess(case: Case) -> str:
    """Return a description of the case if it is excessive in every measurement, otherwise an empty string."""
    excess = ""
    for _ in range(MEASUREMENTS):
        if not (excess := _excess(case)):
            break
    return excess


def _excess(case: Case) -> str:
    """Measure the case once; return a description if the case is excessive, otherwise an empty string."""
    largest = case.make(4 * SIZE)
    large = seconds(partial(case.act, largest))
    if large < NOTICEABLE_SECONDS:
        return ""
    small, middle = (seconds(partial(case.act, case.make(times * SIZE))) for times in (1, 2))
    if large > MAX_GROWTH * small:
        figures = ", ".join(f"{each * 1000:.1f}" for each in (small, middle, large))
        return f"{case.name}: {figures} ms for {SIZE // 1024}, {SIZE // 512} and {SIZE // 256} KB"
    with_explainer = case.with_explainer and partial(case.with_explainer, largest)
    if (
        with_explainer is not None
        and large > MAX_EXPLAINER_RATIO * seconds(with_explainer) + NOTICEABLE_SECONDS
    ):
        return f"{case.name}: {large * 1000:.1f} ms, several times as long as the explainer"
    return ""


def _filled(begin: Text, unit: Text, end: Text, size: int) -> Text:
    """Return `begin`, then about `size` bytes of the repeated unit, then `end`."""
    return begin + unit * (size // len(unit)) + end


# --- decoding: every group of every message, and each of its delimiter tags


def _text_field(layout: MessageLayout) -> str | None:
    for member in layout.body.members:
        if isinstance(member, FieldMember) and member.field.kind is Kind.STRING:
            field = member.field
            if field.codes is None and field.pattern is None and field.max_length is None:
                return member.attribute
    return None


def _with_entries(layout: MessageLayout, group: GroupMember, **texts: str) -> Any:
    """Return a message with five entries of a group."""
    message = samples.minimal(layout.body)
    entry = samples.minimal(group.entry)
    for member in group.entry.members:
        if member.tag in group.delimiters and isinstance(member, FieldMember):
            setattr(entry, member.attribute, samples.value_of(member.field))
    for attribute, value in ((group.attribute, [entry] * 5), *texts.items()):
        setattr(message, attribute, value)
    return message


def decoding_cases() -> Iterator[Case]:
    """For every message with a group, yield cases in which a text or the last fields resemble entries of the
    group."""
    for chosen_wire in wire.WIRES:
        for layout in chosen_wire.dialect.messages.values():
            for group in layout.body.members:
                if isinstance(group, GroupMember):
                    yield from _group_cases(chosen_wire, layout, group)


def _group_cases(chosen_wire: WireDialect, layout: MessageLayout, group: GroupMember) -> Iterator[Case]:
    codec, header = Codec(chosen_wire.dialect), samples.minimal(chosen_wire.dialect.header)
    sample = codec.encode(_with_entries(layout, group), header)
    for _ in range(SIGHTINGS_TO_COMPILE + 1):
        codec.decode(sample)
    attribute = _text_field(layout)
    fields = wire.fields_of(sample)

    def with_text(unit: str, size: int) -> bytes:
        assert attribute is not None
        return codec.encode(_with_entries(layout, group, **{attribute: _filled("", unit, "", size)}), header)

    def with_fields(tag: int, size: int) -> bytes:
        return wire.join_fields([*fields, *[(b"%d" % tag, b"x")] * (size // 8)])

    for tag in group.delimiters:
        begin = f"{chosen_wire.dialect.name} {layout.name}"
        builders = {f"{begin}: {tag}=x repeated": partial(with_fields, tag)}
        if attribute:
            builders[f"{begin}: {attribute} of {tag}=..."] = partial(with_text, f"{tag}=")
        for name, make in builders.items():
            yield Case(name, make, codec.decode, partial(explain, codec))


# --- framing, logs, files

_MESSAGE: Final = wire.join_fields([(b"35", b"0"), (b"34", b"2")])
_UNITS: Final = (
    b"8=FIXT.1.1\x019=",
    b"8=FIXT.1.1\x019=100000\x0135=0\x01",
    b"8=FIXT.1.1\x019=50\x0135=0\x01",
    b"10=000\x01",
    b"\x01",
    b"8",
    b"8=FIX",
    _MESSAGE,
    _MESSAGE[:-4] + (b"000\x01" if _MESSAGE[-4:] != b"000\x01" else b"001\x01"),
    b"8=FIXT.1.1|9=5|",
    b"58=x|||||||",
    b"8=FIXT.1.1|35=0|58=x\ny|z\n",
)


def stream_cases() -> Iterator[Case]:
    """Yield cases with streams that repeat a message or a part of one, for all readers of streams."""
    readers: tuple[tuple[str, bytes, Callable[[bytes], None]], ...] = (
        ("framing", b"", _frame),
        ("log reader", b"8=FIXT.1.1|35=0|58=x", _read_log),
        ("wire log", b"8=FIXT.1.1\x019=9999\x0135=0\x01", _transcribe),
    )
    for unit in _UNITS:
        for name, begin, read in readers:
            yield Case(f"{name} {unit[:32]!r}", partial(_filled, begin, unit, b""), read)


def _frame(data: bytes) -> None:
    for by_check_sum in (False, True):
        framer = Framer(skip_by_check_sum=by_check_sum)
        for at in range(0, len(data), _CHUNK):
            framer.feed(data[at : at + _CHUNK])
            while framer.next() is not None:
                pass


def _read_log(data: bytes) -> None:
    reader = LogReader()
    for at in range(0, len(data), 100):
        list(reader.feed(data[at : at + 100]))
    list(reader.close())


def _transcribe(data: bytes) -> None:
    transcript = Transcript()
    for at in range(0, len(data), _CHUNK):
        transcript.feed("received", data[at : at + _CHUNK], Instant(1000.0, sessions.START))
    transcript.end()


_YAML: Final = ("a: [", "- ", "{a: ", "a: &a x\n", "? ", "# Tag 1 (2)\n", "a: b\n")
_BOMB: Final = "a0: &a0 x\n" + "".join(
    f"a{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 10)}]\n" for depth in range(1, 9)
)
_PAGE: Final = (
    *("| ", "#", "# ", "<A ", '<A "', '<A a="b" ', "<!--", "`a ", "*a ", " _a", "[", "- ", "* ", "|-"),
    *("](/a", "![", "[a](", "> ", "1. - ", "| 11 | a |\n", "# a (35=D)\n", "- `1`: a\n", "`" * 7 + "a "),
    *("a|b\n-|-\n", "- ```\n", "> a\nb\n", "a\n=\n"),
)
_XML: Final = (
    ("<fix><messages><message>", '<group name="F">', ""),
    ("<fix><fields>", '<field number="1" name="F" type="INT"/>', "</fields></fix>"),
    ("<fix><!--", "-", ""),
    ('<fix a="', "&amp;", '"/>'),
)


def document_cases() -> Iterator[Case]:
    """Yield cases with files for the readers of spec folders, pages and dictionaries."""
    for unit in _YAML:
        yield Case(f"spec {unit!r}", partial(_filled, "", unit, ""), _read_yaml)
    yield Case("spec: aliases of aliases", partial(_filled, _BOMB + "#", "#", ""), _read_yaml)
    yield Case("spec: a long number", partial(_filled, "a: ", "9", ""), _read_yaml)
    for unit in _PAGE:
        yield Case(f"page {unit!r}", partial(_filled, "", unit, "x"), _read_page)
    for begin, unit, end in _XML:
        yield Case(f"dictionary {unit}", partial(_filled, begin, unit, end), _read_xml)
    # At each size, the components are nested deeply enough to reach the limit on the number of members.
    yield Case("dictionary: components of components", lambda size: components(size // 128), _read_xml)


def _read_yaml(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fields.yaml"
        path.write_text(text, "utf-8")
        with contextlib.suppress(SpecError):
            read_yaml(path)


def _read_page(text: str) -> None:
    list(pages.read(text, "page.md", _VOCABULARY))


def _read_xml(text: str) -> None:
    list(quickfix.read(text.encode(), "fix.xml"))


def components(depth: int) -> str:
    """Return a dictionary whose components double at each level."""
    doubling = "".join(
        f'<component name="C{at}">' + f'<component name="C{at + 1}" required="Y"/>' * 2 + "</component>"
        for at in range(depth)
    )
    last = f'<component name="C{depth}"><field name="F" required="Y"/></component>'
    return (
        '<fix><header/><trailer/><messages><message name="M" msgtype="m" msgcat="app"><component name="C0" '
        f'required="Y"/></message></messages><components>{doubling}{last}</components><fields>'
        '<field number="1" name="F" type="STRING"/></fields></fix>'
    )


def check() -> int:
    """Measure all cases; print the excessive ones, and return their number."""
    cases = [*decoding_cases(), *stream_cases(), *document_cases()]
    failed = 0
    for case in cases:
        if excess := persistent_excess(case):
            failed += 1
            print(f"  EXCESSIVE: {excess}", flush=True)
    sizes = f"{SIZE // 1024}, {SIZE // 512} and {SIZE // 256} KB"
    print(f"cost         {len(cases)} cases at {sizes}, {failed} excessive")
    return failed
