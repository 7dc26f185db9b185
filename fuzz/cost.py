"""What inputs cost: `python -m fuzz cost` takes each construction at n, 2n and 4n bytes, and compares.

Time in proportion to the bytes quadruples from n to 4n, quadratic time grows sixteenfold. Processor time is
measured, the least of some runs; only what takes long enough to tell counts, and only if it is too much each
time that it is looked at again. All of it takes some 20 seconds.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attrs

from codegen.diff.documents import pages, quickfix
from codegen.errors import SpecError
from codegen.read.nodes import read_yaml
from fuzz import wire
from fuzz.targets import session as sessions
from fuzz.targets.diff import _KNOWN
from fuzz.wire import Wire
from kalshi_fix_adapters.logs.reader import LogReader
from kalshi_fix_adapters.observe.redact import Transcript
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.compiled.cache import SIGHTINGS_TO_COMPILE
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.framing import Framer
from kalshi_fix_sansio.layout import FieldMember, GroupMember, Kind, MessageLayout
from tests import samples
from tests.codec.wire import carefully as read_carefully

SIZE: Final = 4 * 1024
"""Bytes of the smallest of the three."""
GROWTH: Final = 10.0
"""How many times as long as n bytes 4n bytes may take."""
AGAINST_CAREFUL: Final = 3.0
"""How many times as long as the careful path a decode may take."""
NOTICEABLE: Final = 0.02
"""Seconds of processor time below which 4n bytes may take what they take."""
_RUNS = 3
LOOKS: Final = 3
"""How often what is too much is measured before it is called so: another program may be in the way."""

Work = Callable[[], object]


@attrs.frozen
class Case:
    """One construction: `make` returns for a number of bytes what is to be measured."""

    name: str
    make: Callable[[int], Work]
    careful: Callable[[int], Work] | None = None
    """The same by the careful path alone."""


def seconds(work: Work) -> float:
    """Return the least processor time that some runs take."""
    least = float("inf")
    gc.collect()
    for _ in range(_RUNS):
        begin = time.process_time()
        work()
        least = min(least, time.process_time() - begin)
        if least < NOTICEABLE or least > 1:
            break
    return least


def broken(case: Case) -> str:
    """Return what a case costs too much, each time that it is measured; empty if all is well."""
    found = ""
    for _ in range(LOOKS):
        if not (found := _too_much(case)):
            break
    return found


def _too_much(case: Case) -> str:
    large = seconds(case.make(4 * SIZE))
    if large < NOTICEABLE:
        return ""
    small, middle = seconds(case.make(SIZE)), seconds(case.make(2 * SIZE))
    if large > GROWTH * small:
        figures = ", ".join(f"{each * 1000:.1f}" for each in (small, middle, large))
        return f"{case.name}: {figures} ms for {SIZE // 1024}, {SIZE // 512} and {SIZE // 256} KB"
    if case.careful is not None and large > AGAINST_CAREFUL * seconds(case.careful(4 * SIZE)) + NOTICEABLE:
        return f"{case.name}: {large * 1000:.1f} ms, several times as long as the careful path"
    return ""


# --- decoding: every message with a run of entries, and every tag that opens one


def _text_field(layout: MessageLayout) -> str | None:
    for member in layout.body.members:
        if isinstance(member, FieldMember) and member.field.kind is Kind.STRING:
            field = member.field
            if field.codes is None and field.pattern is None and field.max_length is None:
                return member.attribute
    return None


def _with_run(layout: MessageLayout, group: GroupMember, entries: int) -> Any:
    message = samples.minimal(layout.body)
    entry = samples.minimal(group.entry)
    for member in group.entry.members:
        if member.tag in group.delimiters and isinstance(member, FieldMember):
            setattr(entry, member.attribute, samples.value_of(member.field))
    setattr(message, group.attribute, [entry] * entries)
    return message


def decoding() -> Iterator[Case]:
    """Every message that has a group, with texts and runs that look like its entries."""
    for spoken in wire.WIRES:
        for layout in spoken.dialect.messages.values():
            for group in layout.body.members:
                if isinstance(group, GroupMember):
                    yield from _group_cases(spoken, layout, group)


def _group_cases(spoken: Wire, layout: MessageLayout, group: GroupMember) -> Iterator[Case]:
    codec, header = Codec(spoken.dialect), samples.minimal(spoken.dialect.header)
    known = codec.encode(_with_run(layout, group, 5), header)
    for _ in range(SIGHTINGS_TO_COMPILE + 1):
        codec.decode(known)
    attribute = _text_field(layout)
    begin = f"{spoken.dialect.name} {layout.name}"
    fields = wire.fields_of(codec.encode(_with_run(layout, group, 5), header))

    for tag in group.delimiters:
        piece = f"{tag}="

        def text(size: int, piece: str = piece) -> bytes:
            message = _with_run(layout, group, 5)
            setattr(message, attribute or "", piece * (size // len(piece)))
            return codec.encode(message, header)

        def spread(size: int, piece: str = piece) -> bytes:
            field = f"{piece}x".partition("=")
            one = (field[0].encode(), field[2].encode())
            return wire.framed([*fields, *[one] * (size // 8)])

        if attribute:
            yield _both(f"{begin}: {attribute} of {piece}...", codec, text)
        yield _both(f"{begin}: {piece}x without end", codec, spread)


def _both(name: str, codec: Codec, make: Callable[[int], bytes]) -> Case:
    """A case of decoding, beside the careful path."""

    def decoded(size: int) -> Work:
        data = make(size)
        return lambda: codec.decode(data)

    def carefully(size: int) -> Work:
        data = make(size)
        return lambda: read_carefully(codec, data)

    return Case(name, decoded, carefully)


# --- framing, logs, files


def streams() -> Iterator[Case]:
    """Streams that are no messages, for all that reads streams."""
    message = wire.framed([(b"35", b"0"), (b"34", b"2")])
    wrong = message[:-4] + (b"000\x01" if message[-4:] != b"000\x01" else b"001\x01")
    pieces = (
        b"8=FIXT.1.1\x019=",
        b"8=FIXT.1.1\x019=100000\x0135=0\x01",
        b"8=FIXT.1.1\x019=50\x0135=0\x01",
        b"10=000\x01",
        b"\x01",
        b"8",
        b"8=FIX",
        message,
        wrong,
        b"8=FIXT.1.1|9=5|",
        b"58=x|||||||",
        b"8=FIXT.1.1|35=0|58=x\ny|z\n",
    )
    for piece in pieces:
        name = repr(piece[:32])

        def framed(size: int, piece: bytes = piece) -> Work:
            return lambda: _frame(piece * (size // len(piece)), 4096)

        def logged(size: int, piece: bytes = piece) -> Work:
            return lambda: _read_log(b"8=FIXT.1.1|35=0|58=x" + piece * (size // len(piece)), 100)

        def shown(size: int, piece: bytes = piece) -> Work:
            return lambda: _transcribe(b"8=FIXT.1.1\x019=9999\x0135=0\x01" + piece * (size // len(piece)))

        yield Case(f"framing {name}", framed)
        yield Case(f"log reader {name}", logged)
        yield Case(f"wire log {name}", shown)


def _frame(data: bytes, portion: int) -> None:
    for by_check_sum in (False, True):
        framer = Framer(skip_by_check_sum=by_check_sum)
        for at in range(0, len(data), portion):
            framer.feed(data[at : at + portion])
            while framer.next() is not None:
                pass


def _read_log(data: bytes, portion: int) -> None:
    reader = LogReader()
    for at in range(0, len(data), portion):
        for _ in reader.feed(data[at : at + portion]):
            pass
    for _ in reader.close():
        pass


def _transcribe(data: bytes) -> None:
    transcript = Transcript()
    for at in range(0, len(data), 4096):
        transcript.feed("received", data[at : at + 4096], sessions.Player(_ANY).now)
    transcript.end()


_ANY: Final = sessions.Setting(Role.INITIATOR, "KalshiRT")


def documents() -> Iterator[Case]:
    """Files for the readers of spec folders, pages and dictionaries."""
    for piece in ("a: [", "- ", "{a: ", "a: &a x\n", "? ", "# Tag 1 (2)\n", "a: b\n"):

        def spec(size: int, piece: str = piece) -> Work:
            return _yaml(piece * (size // len(piece)))

        yield Case(f"spec {piece!r}", spec)
    bomb = "a0: &a0 x\n" + "".join(
        f"a{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 10)}]\n" for depth in range(1, 9)
    )
    yield Case("spec: aliases of aliases", lambda size: _yaml(bomb + "#" * size))
    yield Case("spec: a long number", lambda size: _yaml("a: " + "9" * size))
    short = (
        "| ",
        "#",
        "# ",
        "<A ",
        '<A "',
        '<A a="b" ',
        "<!--",
        "`a ",
        "*a ",
        " _a",
        "[",
        "- ",
        "* ",
        "|-",
        "](/a",
        "![",
        "[a](",
        "> ",
        "1. - ",
    )
    long = (
        "| 11 | a |\n",
        "# a (35=D)\n",
        "- `1`: a\n",
        "`" * 7 + "a ",
        "a|b\n-|-\n",
        "- ```\n",
        "> a\nb\n",
        "a\n=\n",
    )
    for piece in (*short, *long):

        def page(size: int, piece: str = piece) -> Work:
            return lambda: pages.read(piece * (size // len(piece)) + "x", "page.md", _KNOWN)

        yield Case(f"page {piece!r}", page)
    for begin, piece, end in (
        ("<fix><messages><message>", '<group name="F">', ""),
        ("<fix><fields>", '<field number="1" name="F" type="INT"/>', "</fields></fix>"),
        ("<fix><!--", "-", ""),
        ('<fix a="', "&amp;", '"/>'),
    ):

        def dictionary(size: int, begin: str = begin, piece: str = piece, end: str = end) -> Work:
            return _xml(begin + piece * (size // len(piece)) + end)

        yield Case(f"dictionary {piece}", dictionary)
    # So deep that the bound on members is met at each size.
    yield Case("dictionary: components of components", lambda size: _xml(_components(size // 128)))


def _yaml(text: str) -> Work:
    def work() -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "fields.yaml"
            path.write_text(text, "utf-8")
            with contextlib.suppress(SpecError):
                read_yaml(path)

    return work


def _xml(text: str) -> Work:
    return lambda: list(quickfix.read(text.encode(), "fix.xml"))


def _components(depth: int) -> str:
    twice = "".join(
        f'<component name="C{at}">' + f'<component name="C{at + 1}" required="Y"/>' * 2 + "</component>"
        for at in range(depth)
    )
    last = f'<component name="C{depth}"><field name="F" required="Y"/></component>'
    return (
        '<fix><header/><trailer/><messages><message name="M" msgtype="m" msgcat="app"><component name="C0" '
        f'required="Y"/></message></messages><components>{twice}{last}</components><fields><field number="1" '
        'name="F" type="STRING"/></fields></fix>'
    )


GROUPS: Final = {"decoding": decoding, "streams": streams, "documents": documents}


def check(names: list[str]) -> int:
    """Measure everything, or these groups of cases; print what is too much, and return how many that are."""
    count = failed = 0
    for name in names or GROUPS:
        for case in GROUPS[name]():
            count += 1
            if found := broken(case):
                failed += 1
                print(f"  TOO MUCH: {found}", flush=True)
    print(
        f"cost         {count} constructions at {SIZE // 1024}, {SIZE // 512} and "
        f"{SIZE // 256} KB, {failed} too much"
    )
    return failed
