"""A spec folder imported from QuickFIX dictionaries is complete, and a session runs on the package
generated from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import attrs
import pytest

from codegen.errors import SpecError
from codegen.export import dictionary
from codegen.model import Dialect, Product
from codegen.read.quickfix_xml import read
from codegen.read.resolve import load_dialect
from kalshi_fix_sansio import Role, Session
from kalshi_fix_sansio.events import LoggedOn, MessageReceived
from tests.codegen.command import run
from tests.codegen.harbour_spec import generate_and_import, make_session
from tests.helpers import Clock, Pair

OLD = """<fix type="FIX" major="4" minor="2">
 <header>
  <field name="BeginString" required="Y"/><field name="BodyLength" required="Y"/>
  <field name="MsgType" required="Y"/><field name="SenderCompID" required="Y"/>
  <field name="TargetCompID" required="Y"/><field name="MsgSeqNum" required="Y"/>
  <field name="PossDupFlag" required="N"/><field name="PossResend" required="N"/>
  <field name="SendingTime" required="Y"/><field name="OrigSendingTime" required="N"/>
 </header>
 <trailer><field name="CheckSum" required="Y"/></trailer>
 <messages>
  <message name="Logon" msgtype="A" msgcat="admin">
   <field name="EncryptMethod" required="Y"/><field name="HeartBtInt" required="Y"/>
   <field name="RawDataLength" required="N"/><field name="RawData" required="N"/>
   <field name="ResetSeqNumFlag" required="N"/>
  </message>
  <message name="IOI" msgtype="6" msgcat="app">
   <field name="IOIID" required="Y"/>
   <component name="Instrument" required="N"/>
   <component name="Instrument" required="N"/>
   <component name="Nothing" required="N"/>
   <component name="Loop" required="N"/>
   <field name="Header" required="N"/>
   <field name="NoLegs" required="N"/>
   <field name="Nowhere" required="N"/>
   <group name="NoRoutingIDs" required="N">
    <field name="RoutingType" required="Y"/>
    <group name="NoHops" required="N"><field name="HopCompID" required="Y"/></group>
   </group>
   <group name="NoEmpty" required="N">
    <group name="NoHops" required="N"><field name="HopCompID" required="Y"/></group>
   </group>
   <field name="Blob" required="N"/>
  </message>
  <message name="News" msgtype="B" msgcat="app">
   <field name="Headline" required="Y"/>
   <group name="NoRoutingIDs" required="Y"><field name="RoutingID" required="Y"/></group>
  </message>
 </messages>
 <components>
  <component name="Instrument">
   <field name="Symbol" required="Y"/><field name="News" required="N"/>
  </component>
  <component name="Loop"><component name="Loop" required="N"/><field name="Text" required="N"/></component>
 </components>
 <fields>
  <field number="8" name="BeginString" type="STRING"/><field number="9" name="BodyLength" type="LENGTH"/>
  <field number="35" name="MsgType" type="STRING"/><field number="49" name="SenderCompID" type="STRING"/>
  <field number="56" name="TargetCompID" type="STRING"/><field number="34" name="MsgSeqNum" type="SEQNUM"/>
  <field number="43" name="PossDupFlag" type="BOOLEAN"><value enum="Y" description="YES"/></field>
  <field number="97" name="PossResend" type="BOOLEAN"/>
  <field number="52" name="SendingTime" type="UTCTIMESTAMP"/>
  <field number="122" name="OrigSendingTime" type="TIME"/>
  <field number="10" name="CheckSum" type="STRING"/>
  <field number="98" name="EncryptMethod" type="INT"><value enum="0" description="NONE_OTHER"/></field>
  <field number="108" name="HeartBtInt" type="INT"/>
  <field number="95" name="RawDataLength" type="LENGTH"/><field number="96" name="RawData" type="DATA"/>
  <field number="141" name="ResetSeqNumFlag" type="BOOLEAN"/>
  <field number="23" name="IOIID" type="STRING"/><field number="55" name="Symbol" type="STRING"/>
  <field number="600" name="News" type="CHAR">
   <value enum="1" description="UP_TICK"/><value enum="2" description="UP TICK"/><value enum="1"/>
   <value enum="3" description="3 of them"/>
  </field>
  <field number="58" name="Text" type="STRING"/><field number="5001" name="Header" type="STRING"/>
  <field number="555" name="NoLegs" type="NUMINGROUP"/>
  <field number="215" name="NoRoutingIDs" type="INT"/>
  <field number="216" name="RoutingType" type="INT">
   <values><value enum="1" description="TARGET_FIRM"/><value enum="many" description="MANY"/></values>
  </field>
  <field number="217" name="RoutingID" type="STRING"/>
  <field number="627" name="NoHops" type="INT"/><field number="628" name="HopCompID" type="STRING"/>
  <field number="6000" name="NoEmpty" type="INT"/>
  <field number="6001" name="Blob" type="DATA"/>
  <field number="148" name="Headline" type="FANCY"/>
 </fields>
</fix>
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "FIX42.xml"
    path.write_text(OLD, encoding="utf-8")
    return path


def pair(dialect: Any) -> tuple[Session, Session, Clock]:
    """Return two sessions of a dialect, logged on to each other."""
    client = make_session(dialect, Role.INITIATOR, "US", "THEM")
    made = Pair(Clock(), client, make_session(dialect, Role.ACCEPTOR, "THEM", "US"))
    made.connect()
    assert isinstance(made.client_events[0], LoggedOn)
    return client, made.venue, made.clock


def test_a_session_runs_on_an_imported_dialect(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("import", old, "--out", tmp_path / "spec", "--title", "Old").exit_code == 0
    package = generate_and_import(tmp_path / "spec", tmp_path / "made", monkeypatch)
    client, venue, clock = pair(package.DIALECT)
    news = package.DIALECT.messages["B"].cls
    [group] = [member for member in package.DIALECT.messages["B"].body.members if member.name != "Headline"]
    entry = group.entry.cls
    client.send(news(headline="More", routing_ids=[entry(routing_id="a"), entry(routing_id="b")]), clock.now)
    data = client.data_to_send()
    assert data.startswith(b"8=FIX.4.2\x019=")
    assert b"\x01148=More\x01215=2\x01217=a\x01217=b\x01" in data
    venue.receive_data(data, clock.now)
    [event] = venue.events()
    assert isinstance(event, MessageReceived)
    received: Any = event.message
    assert [item.routing_id for item in received.routing_ids] == ["a", "b"]


def test_the_facts_of_the_dictionary_are_in_the_spec(old: Path, tmp_path: Path) -> None:
    assert run("import", old, "--out", tmp_path / "spec", "--name", "old").exit_code == 0
    dialect = load_dialect(tmp_path / "spec")
    assert (dialect.name, dialect.begin_string, dialect.appl_ver_id) == ("old", "FIX.4.2", "4")
    fields = {field.name: field for field in dialect.fields}
    assert fields["RawData"].length_field == "RawDataLength"
    assert fields["RawData"].secret
    time = fields["OrigSendingTime"].datatype
    assert (time.name, time.kind) == ("TIME", "UTCTIMESTAMP")
    assert fields["NoRoutingIDs"].datatype.name == "NUMINGROUP"
    codes = fields["News"].codeset
    assert codes is not None
    assert codes.name == "NewsCode"  # News is an application message
    assert [(code.name, code.value) for code in codes.codes] == [
        ("UpTick", "1"),
        ("UpTickX1", "2"),
        ("Value3OfThem", "3"),
    ]
    messages = {message.name: message for message in dialect.messages}
    assert [(m.field.name, m.presence, m.constant) for m in messages["Logon"].members] == [
        ("EncryptMethod", "constant", "0"),
        ("HeartBtInt", "required", None),
        ("RawData", "optional", None),
        ("ResetSeqNumFlag", "optional", None),
    ]
    # Symbol is required in Instrument, but Instrument itself is optional.
    assert [(m.field.name, m.presence) for m in messages["IOI"].members] == [
        ("IOIID", "required"),
        ("Symbol", "optional"),
        ("News", "optional"),
        ("Text", "optional"),
        ("NoRoutingIDs", "optional"),
        ("Blob", "optional"),
    ]
    groups = {group.name: [member.field.name for member in group.members] for group in dialect.groups}
    assert groups == {
        "HopsGrp": ["HopCompID"],
        "RoutingIDsGrp": ["RoutingType", "NoHops"],
        "RoutingIDsGrp2": ["RoutingID"],
    }


def test_parts_that_a_spec_cannot_express_are_listed_with_their_lines(old: Path, tmp_path: Path) -> None:
    result = run("import", old, "--out", tmp_path / "spec")
    place = f"{old.as_posix()}:"
    notes = {line.removeprefix(place).partition(": ")[2] for line in result.stderr.splitlines()}
    assert notes == {
        "Symbol in IOI; left out: Symbol would occur twice",
        "News in IOI; left out: News would occur twice",
        "Nothing in IOI; left out: there is no such component",
        "Loop in Loop; left out: the component includes itself",
        "Header in IOI; left out: every message already has a header attribute",
        "NoLegs in IOI; left out: it counts a group that has no members",
        "Nowhere in IOI; left out: there is no such field",
        "NoEmpty in IOI; left out: it has no field that opens an entry",
        "`1` of News; left out: it is a duplicate, or not a whole number",
        "`many` of RoutingType; left out: it is a duplicate, or not a whole number",
        "Blob is data without a length; it is read as text",
        "Headline is of type FANCY; it is read as text",
    }
    assert all(line.startswith(place) for line in result.stderr.splitlines())


def test_only_the_requested_messages_are_imported(old: Path, tmp_path: Path) -> None:
    assert run("import", old, "--out", tmp_path / "spec", "--message", "B").exit_code == 0
    assert [message.name for message in load_dialect(tmp_path / "spec").messages] == ["Logon", "News"]
    result = run("import", old, "--out", tmp_path / "other", "--message", "Quote")
    assert result.exit_code == 1
    assert "does not define Quote; list only messages that the dictionary defines" in result.stderr


@pytest.mark.parametrize("product", ["prediction", "margin"])
def test_importing_our_own_dictionaries_gives_the_original_facts(
    product: str, kalshi: Dialect, tmp_path: Path
) -> None:
    session, application = dictionary.write(kalshi, product, tmp_path)
    assert run("import", session, application, "--out", tmp_path / "spec").exit_code == 0
    reimported = load_dialect(tmp_path / "spec")

    def facts(paths: list[Path]) -> dict[str, list[tuple[str, str, str]]]:
        found = {}
        for path in paths:
            for message in ET.parse(path).getroot().findall("messages/message"):
                found[message.attrib["name"]] = [
                    (item.tag, item.attrib["name"], item.attrib["required"])
                    for item in message.iter()
                    if item is not message
                ]
        return found

    with_product = attrs.evolve(reimported, products=(Product(product, "", ""),))
    again = dictionary.write(with_product, product, tmp_path / "again")
    assert facts(again) == facts([session, application])


def test_the_error_for_an_invalid_input_names_the_input(old: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").touch()
    assert "is not empty; choose another folder" in run("import", old, "--out", full).stderr
    broken = tmp_path / "broken.xml"
    for text, words in (
        ("<fix>", "is not XML: no element found"),
        ("<spec/>", "the outermost element is <spec>"),
        ("<fix><fields><field number='x' name='A'/></fields></fix>", "the tag `x` is not a number"),
        ("<fix><messages><message name='A'/></messages></fix>", "<message> has no msgtype"),
        ("<fix/>", "no dictionary has a header with members"),
    ):
        broken.write_text(text, encoding="utf-8")
        result = run("import", broken, "--out", tmp_path / "spec")
        assert result.exit_code == 1
        assert words in result.stderr
    with pytest.raises(SpecError, match=r"absent.xml:1: cannot be read \(No such file or directory\)"):
        read(tmp_path / "absent.xml")
