"""Sessions that use a dialect imported from the standard FIX50SP2 dictionary that other engines ship."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from fixcore.message import Message as FixcoreMessage
from fixcore.message import load_combined_data_dictionary

from kalshi_fix_sansio import Role, Session, SessionConfig
from kalshi_fix_sansio.events import LogonRequested, MessageReceived
from kalshi_fix_sansio.framing import Frame
from tests.helpers import Clock

SPECS = Path(str(files("fixcore") / "specs"))
DICTIONARIES = (SPECS / "FIXT11.xml", SPECS / "FIX50SP2.xml")
REPOSITORY = Path(__file__).resolve().parent.parent


def codegen(*arguments: object) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "codegen", *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    return result.stderr


@pytest.fixture(scope="module")
def dialect(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("imported")
    omissions = codegen("import", *DICTIONARIES, "--out", folder / "spec", "--name", "standard").splitlines()
    # Only groups whose entries begin with another group are left out.
    assert all("left out: it has no field that opens an entry" in line for line in omissions)
    assert len(omissions) < 12
    codegen("--spec", folder / "spec", "--out", folder / "standard", "--package", "standard")
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("standard").DIALECT
    finally:
        sys.path.remove(str(folder))


def test_every_message_of_the_standard_is_imported(dialect: Any) -> None:
    listed = [item for path in DICTIONARIES for item in ET.parse(path).getroot().iter("message")]
    assert set(dialect.messages) == {item.attrib["msgtype"] for item in listed}
    assert len(dialect.messages) > 150
    assert len(dialect.fields) > 5000


def test_sessions_use_the_imported_dialect_and_the_other_engine_reads_their_messages(
    dialect: Any,
) -> None:
    clock = Clock()
    sessions = {
        role: Session(
            SessionConfig(
                role=role,
                dialect=dialect,
                session_type=dialect.session_types["FIXT"],
                sender_comp_id=role.value,
                target_comp_id=(set(Role) - {role}).pop().value,
            )
        )
        for role in Role
    }
    client, venue = sessions[Role.INITIATOR], sessions[Role.ACCEPTOR]
    venue.connect(clock.now)
    client.connect(clock.now)
    venue.receive_data(client.data_to_send(), clock.now)
    assert isinstance(venue.events()[-1], LogonRequested)
    venue.accept_logon(clock.now)
    client.receive_data(venue.data_to_send(), clock.now)
    assert client.is_established
    assert venue.is_established
    venue.events()

    layout = dialect.messages["D"]
    [parties] = [member for member in layout.body.members if member.name == "NoPartyIDs"]
    party = parties.entry.cls
    order = layout.cls(
        cl_ord_id="first",
        symbol="TEST",
        side="1",
        ord_type="2",
        order_qty=10,
        price="1.25",
        transact_time=clock.utc,
        **{parties.attribute: [party(party_id="a", party_role=1), party(party_id="b", party_role=3)]},
    )
    client.send(order, clock.now)
    data = client.data_to_send()
    venue.receive_data(data, clock.now)
    [event] = venue.events()
    assert isinstance(event, MessageReceived)
    assert event.message == order

    dictionary = load_combined_data_dictionary(*map(str, DICTIONARIES))
    decoded = FixcoreMessage.decode(Frame(data).data, dictionary)
    dictionary.validate(decoded, check_field_values=True, check_has_values=True, check_user_defined=True)
    assert decoded.encode() == data
