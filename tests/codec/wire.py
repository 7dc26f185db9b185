"""Messages of the tiny dialect in wire form, and functions that damage them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.explainer import Explainer
from kalshi_fix_sansio.codec.reader import read
from kalshi_fix_sansio.codec.tokens import split
from kalshi_fix_sansio.dialect.base import Block, Message
from kalshi_fix_sansio.dialect.layout import FieldMember
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.framing import encode_frame
from tests.tiny_dialect import FIELDS

Fields = list[tuple[str, str]]

HEAD = "49=a|56=b|34=7|52=20260801-12:30:15.123|"

VALID_BODIES = [
    f"35=A|{HEAD}95=3|96=x=y|383=4096|5002=Y|554=sesame|",
    f"35=A|{HEAD}5001=Y|5002=N|9001=new|",
    f"35=D|{HEAD}11=a-1|38=10.00|",
    f"35=D|{HEAD}11=a-1|38=10.00|40=2|44=0.45|54=1|55=KX|126=20260801-12:30:15|64=20260801|45=00012|79=7|",
    f"35=D|34=9|{HEAD.replace('34=7|', '')}43=Y|11=b|9002=u|38=1|54=Z|355=plain|",
    f"35=D|{HEAD}11=a|38=1|453=2|448=p|452=3|448=q|452=35|802=1|523=s|803=4|9003=n|354=2|355=xy|58=hello|",
    f"35=D|{HEAD}11=a|38=1|453=3|448=p|448=q|452=99|448=r|452=3|79=1|",
    f"35=D|{HEAD}11=a|38=1|453=1|452=3|448=p|802=3|523=s|523=t|803=1|523=u|58=x|",
    f"35=R|{HEAD}146=1|55=KX|38=5|79=3|",
    f"35=R|{HEAD}627=3|628=x|628=y|9006=h|628=z|43=N|146=1|55=KX|",
    f"35=R|{HEAD}146=2|38=5|152=6|38=7|58=t|",
    f"35=W|{HEAD}55=KX|268=0|58=empty|",
    f"35=W|{HEAD}55=KX|268=4|269=1|270=0.45|271=10|269=2|270=0.5|269=1|270=.7|273=10:00:00.000|269=2|270=1|272=20260801|",
    f"35=W|{HEAD}55=KX|268=3|269=1|9004=q|270=1|269=1|9004=r|270=2|269=2|9004=s|270=3|58=z|",
    f"35=W|{HEAD}55=KX|268=3|269=1|270=1|269=2|270=2|269=3|270=3|453=1|448=p|93=2|89=ab|",
    f"35=W|{HEAD}55=KX|268=6|269=1|270=0.45|271=10|269=2|270=0.5|269=1|270=7|273=10:00:00.000|269=2|270=1|272=20260801|269=1|270=2|269=1|270=3|",
    f"35=W|{HEAD}55=KX|268=5|269=1|9004=q|270=1|269=1|9004=r|270=2|269=2|9004=s|270=3|269=1|9004=t|270=4|269=1|9004=u|270=5|58=z|",
    f"35=ZZ|{HEAD}55=KX|453=1|448=p|9005=v|",
]
"""Messages that decode without problems. BeginString, BodyLength and CheckSum are omitted, and `|` is SOH."""

VALUES = [
    "",
    "0",
    "-1",
    "+5",
    "1_0",
    "1e5",
    "NaN",
    "999999999999999999999",
    "00000000000000000000000000001",
    ".5",
    "5.",
    "1.5",
    "Y",
    "N",
    "AB",
    "é",
    "=",
    "\n",
    "20260230-12:00:00",
    "20260801-23:59:60.123",
    "99991231-23:59:60",
    "20260801-12:00:00.1",
    "20260801-12:00:00.123456789",
    "20260231",
    "00000101",
    "24:00:00",
    "10:00:60",
    "a\x01b",
    "58=x",
    "2",
    "3",
]
TAGS = ["0", "-1", "007", "", "x", "99999999999", "9001", "1137", *map(str, FIELDS)]


def fields_of(body: str) -> Fields:
    """Split a body into tags and values."""
    pairs = (item.partition("=") for item in body.split("|")[:-1])
    return [(tag, value) for tag, _, value in pairs]


def joined(fields: Fields) -> bytes:
    """Join fields and add a correct frame."""
    body = "".join(f"{tag}={value}\x01" for tag, value in fields)
    return encode_frame("FIXT.1.1", body.encode("latin-1"))


@st.composite
def damaged(draw: st.DrawFn, valid: list[Fields]) -> bytes:
    """Draw a complete message with correct BodyLength and CheckSum, and up to four changes to its fields."""
    fields = list(draw(st.sampled_from(valid)))
    places = st.integers(1, len(fields) - 1)
    for _ in range(draw(st.integers(0, 4))):
        at = min(draw(places), len(fields) - 1)
        tag, value = fields[at]
        match draw(st.integers(0, 7)):
            case 0:
                del fields[max(at, 1)]
            case 1:
                fields.insert(draw(places), (tag, value))
            case 2:
                other = min(draw(places), len(fields) - 1)
                fields[at], fields[other] = fields[other], fields[at]
            case 3:
                fields[at] = (tag, draw(st.sampled_from(VALUES)))
            case 4:
                fields[at] = (draw(st.sampled_from(TAGS)), value)
            case 5:
                fields.insert(at, (draw(st.sampled_from(TAGS)), draw(st.sampled_from(VALUES))))
            case 6:
                cut = draw(st.integers(0, len(value)))
                fields[at] = (
                    tag,
                    value[:cut] + draw(st.sampled_from(["\x01", "=", "\x0110=000", "0"])) + value[cut:],
                )
            case _:
                flipped = bytearray(value.encode("latin-1")) or bytearray(b"?")
                flipped[draw(st.integers(0, len(flipped) - 1))] ^= 1 << draw(st.integers(0, 7))
                fields[at] = (tag, flipped.decode("latin-1"))
    return joined(fields)


def dump(block: Block | None) -> Any:
    """Return the values of a block with their types and scales, and its unknown fields, for comparison."""
    if block is None:
        return None
    layout = getattr(block, "LAYOUT", None)
    found: list[Any] = [type(block).__name__, block.unknown]
    for member in layout.members if layout is not None else ():
        value = getattr(block, member.attribute)
        if isinstance(member, FieldMember):
            found.append(
                (member.name, type(value).__name__, str(value) if isinstance(value, Decimal) else value)
            )
        else:
            found.append((member.name, [dump(entry) for entry in value]))
    if isinstance(block, Message):
        found += [block.msg_type, dump(block.header), dump(block.trailer), block.problems]
    return found


def explain(codec: Codec, data: bytes) -> tuple[Message, tuple[Problem, ...]]:
    """Return the explainer's message and every problem found by strict decoding.

    Check that the explainer finds the same values and no problems in a message that the reader decodes.
    """
    text = data.decode("latin-1")
    explained = Explainer(codec._tables, text)
    message, problems = explained.message(), explained.problems(strict=True)
    columns = split(text)
    found = read(codec._tables, columns, strict=False)
    assert found is None or (not message.problems and dump(found) == dump(message))
    # With `strict`, the reader must decline every message with a problem.
    assert not problems or read(codec._tables, columns, strict=True) is None
    return message, problems
