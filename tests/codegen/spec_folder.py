"""A small valid spec folder for tests to read or to break."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.errors import SpecError
from codegen.files import write_files
from codegen.model import Dialect, Field, Member, Message
from codegen.read.resolve import load_dialect
from kalshi_fix_adapters.documents.mistakes import Mistake

FILES = {
    "manifest.yaml": """\
name: mini
title: Mini
begin_string: FIXT.1.1
appl_ver_id: 9
families: [session, orders]
products:
  spot:    {env_prefix: MINI, doc: "Spot."}
  futures: {env_prefix: MINI_F, doc: "Futures."}
environments: [live]
versions: {1.1.0: 2026-05-18}
sources: {manual: the manual}
""",
    "datatypes.yaml": """\
datatypes:
  STRING:     {kind: STRING, doc: "Text."}
  CHAR:       {kind: CHAR, doc: "One character."}
  INT:        {kind: INT, doc: "A whole number."}
  LENGTH:     {kind: LENGTH, doc: "A length."}
  NUMINGROUP: {kind: NUMINGROUP, doc: "A count."}
  PRICE:      {kind: DECIMAL, doc: "A price."}
  BOOLEAN:    {kind: BOOLEAN, doc: "Y or N."}
  DATA:       {kind: DATA, doc: "Bytes."}
""",
    "fields.yaml": """\
source: manual
fields:
  BeginString: {tag: 8, type: STRING, doc: "Begins."}
  BodyLength:  {tag: 9, type: LENGTH, doc: "Length."}
  MsgType:     {tag: 35, type: STRING, doc: "Type."}
  CheckSum:    {tag: 10, type: STRING, doc: "Sum."}
  ClOrdID:     {tag: 11, type: STRING, max_length: 8, pattern: "[a-z]+", doc: "Order id."}
  Side:        {tag: 54, type: CHAR, codes: Side, doc: "Side."}
  Price:       {tag: 44, type: PRICE, unit: dollars, doc: "Price."}
  StopPx:      {tag: 99, type: PRICE, doc: "Stop price."}
  Urgent:      {tag: 5001, type: BOOLEAN, since: 1.1.0, doc: "Urgency."}
  OldUrgent:   {tag: 5000, type: BOOLEAN, doc: "Urgency, formerly."}
  Level:       {tag: 5002, type: INT, codes: Level, minimum: 0, maximum: 9, doc: "Level."}
  Rank:        {tag: 5007, type: INT, doc: "Rank."}
  NoteLength:  {tag: 5003, type: LENGTH, doc: "Length of Note."}
  Note:        {tag: 5004, type: DATA, length: NoteLength, doc: "A note."}
  NoLegs:      {tag: 555, type: NUMINGROUP}
  LegSymbol:   {tag: 600, type: STRING, doc: "Symbol of the leg."}
  NoNotes:     {tag: 5005, type: NUMINGROUP}
  NoteText:    {tag: 5006, type: STRING, doc: "Text of the note."}
""",
    "codesets.yaml": """\
source: manual
codesets:
  Side:
    doc: "Side."
    open: false
    codes:
      Buy:  {value: 1, doc: "Buys."}
      Sell: {value: 2, doc: "Sells."}
  Level:
    doc: "Level."
    codes:
      Low:  {value: 1, doc: "Low."}
      High: {value: 2, doc: "High."}
""",
    "components.yaml": """\
source: manual
groups:
  Legs:
    doc: "Legs."
    counter: NoLegs
    entry: Leg
    delimiter: LegSymbol
    members:
      LegSymbol: required
      Notes:     optional
  Notes:
    doc: "Notes."
    counter: NoNotes
    entry: LegNote
    delimiter: NoteText
    minimum: 0
    maximum: 3
    members:
      NoteText: required
components:
  Prices:
    members:
      Price:  optional
      StopPx: optional
    one_of:
      - {exactly_one: [Price, StopPx]}
""",
    "header.yaml": """\
source: manual
members:
  BeginString: required
  BodyLength:  required
  MsgType:     required
""",
    "trailer.yaml": """\
source: manual
members:
  CheckSum: required
""",
    "sessions.yaml": """\
source: manual
hosts:
  live:
    spot: {main: spot.example}
    futures: {main: futures.example}
sessions:
  Orders:
    {purpose: "Orders.", port: 9000, host: main, service: orders, products: [spot, futures], resend: true,
      reset_required: false, comp_ids: [Orders, Mini]}
  Quotes:
    {purpose: "Quotes.", port: 9001, host: main, products: spot, resend: false, reset_required: true}
""",
    "messages/session.yaml": """\
source: manual
messages:
  Heartbeat:
    msg_type: 0
    admin: true
    doc: "Alive."
    members: {}
""",
    "messages/orders.yaml": """\
source: manual
messages:
  NewOrder:
    msg_type: D
    doc: "An order."
    flows: {sender: client, sessions: Orders}
    request: [ClOrdID, Level]
    members:
      ClOrdID: required
      Side:    required
      Prices:  include
      Level:
        required_when: {Side: Buy, Price: present}
        forbidden_when: {Side: Sell}
      Urgent:  {only: {products: spot}, legacy: OldUrgent, default: N}
      Legs:    {required_on: {products: futures}}
      Note:    optional
    constructors: {buy: {sets: {Level: Low}, takes: ClOrdID, without: Urgent, doc: "Buy."}}
  OrderReport:
    msg_type: 8
    since: 1.1.0
    doc: "A report."
    flows: [{sender: venue, sessions: Orders}, {sender: venue, sessions: Quotes}]
    answers:
      - {requests: NewOrder, field: ClOrdID, creates: {NewOrder: Rank}, unless: {Level: [Low, 2]},
        open_when: {Level: High, Rank: present, ClOrdID: absent}}
      - {requests: NewOrder, field: Rank, repeats: Level}
      - {requests: NewOrder}
    tracks: {field: ClOrdID, sessions: Quotes, resting: {Level: Low}, done: {Level: High, Rank: present}}
    members:
      ClOrdID: {presence: required, doc: "The order."}
      Level:   {constant: High}
      Rank:    optional
""",
}
"""An independent dialect, without `extends`."""


def write(folder: Path, **changes: str | None) -> Path:
    """Write the small spec folder; `changes` replaces or removes files (`manifest.yaml` is `manifest`)."""
    files: dict[str, str | None] = dict(FILES)
    for name, text in changes.items():
        files[path_of(name)] = text
    write_files({name: text for name, text in files.items() if text is not None}, folder)
    return folder


def mistakes_of(folder: Path) -> tuple[Mistake, ...]:
    """Return the mistakes of a spec folder."""
    with pytest.raises(SpecError) as caught:
        load_dialect(folder)
    assert str(caught.value) == "\n".join(map(str, caught.value.mistakes))
    return caught.value.mistakes


def message(dialect: Dialect, name: str) -> Message:
    """Return a message by its name."""
    return next(item for item in dialect.messages if item.name == name)


def member(dialect: Dialect, name: str, owner: str = "NewOrder") -> Member:
    """Return a member of a message by the name of its field."""
    return next(item for item in message(dialect, owner).members if item.field.name == name)


def field(dialect: Dialect, name: str) -> Field:
    """Return a field by its name."""
    return next(item for item in dialect.fields if item.name == name)


def path_of(name: str) -> str:
    """Return the path for a short name: `messages_orders` is `messages/orders.yaml`."""
    return name.replace("messages_", "messages/") + ".yaml"


def edited(name: str, old: str, new: str) -> str:
    """Return the text of a file of the small spec with one passage changed."""
    text = FILES[path_of(name)]
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
    return text.replace(old, new)


def changed(folder: Path, name: str, old: str, new: str) -> Dialect:
    """Return the dialect of the small spec folder with one passage changed."""
    return load_dialect(write(folder, **{name: edited(name, old, new)}))


def line_of(text: str, needle: str) -> int:
    """Return the number of the line in which a passage begins; the passage must occur only once."""
    assert text.count(needle) == 1, f"{needle!r} occurs {text.count(needle)} times"
    return text[: text.index(needle)].count("\n") + 1
