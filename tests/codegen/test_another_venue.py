"""The commands and the program of `docs/how-to/another-venue.md`, run on a small FIX 4.4 dictionary.

`interop/test_another_venue.py` runs them on FIX44.xml as QuickFIX distributes it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from codegen.read.resolve import load_dialect
from kalshi_fix_sansio import Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import MessageReceived
from tests.codegen.harbour_spec import edit, generate_and_import, make_session
from tests.helpers import Clock, Pair
from tests.programs import run_program

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "another-venue.md").read_text("utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="(.*?)"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE))
DICTIONARY = ROOT / "tests" / "codegen" / "fix44.xml"


def run_block(folder: Path, title: str) -> str:
    """Run a block of commands from the page, with `folder` instead of ../acme; return its output."""
    commands = BLOCKS[title].replace("../acme", str(folder)).replace(".venv/bin/python", sys.executable)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = run_program("bash", "-ec", commands, cwd=ROOT, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def run_page(folder: Path, dictionary: Path) -> None:
    """Run the page's commands on a dictionary, and compare their output with the page."""
    shutil.copy(dictionary, folder / "FIX44.xml")
    run_block(folder, "generate")
    (folder / "two_sessions.py").write_text(BLOCKS["two_sessions.py"], "utf-8")
    assert run_block(folder, "run") == BLOCKS["output"]
    assert "nothing left to do" in run_block(folder, "follow")


def members(dictionary: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the names and flags of all members by message, with components replaced by their members."""
    root = ET.parse(dictionary).getroot()
    components = {item.attrib["name"]: item for item in root.iter("component") if len(item)}

    def members_below(parent: ET.Element, required: bool = True) -> list[tuple[str, str]]:
        found = []
        for item in parent:
            name, flag = item.attrib["name"], item.attrib["required"] == "Y" and required
            if item.tag == "component":
                found += members_below(components[name], flag)
            else:
                found += [(name, "Y" if flag else "N"), *members_below(item)]
        return found

    blocks = {item.attrib["name"]: item for item in root.iter("message")}
    blocks |= {kind: item for kind in ("header", "trailer") for item in root.iter(kind)}
    return {name: members_below(block) for name, block in blocks.items()}


def test_the_page_leads_from_a_dictionary_to_an_order(tmp_path: Path) -> None:
    run_page(tmp_path, DICTIONARY)
    assert members(tmp_path / "quickfix" / "FIX44.xml") == members(DICTIONARY)
    written = ET.parse(tmp_path / "quickfix" / "FIX44.xml").getroot()
    assert written.attrib == {"type": "FIX", "major": "4", "minor": "4", "servicepack": "0"}
    assert "FIX.4.4" in (tmp_path / "orchestra.xml").read_text("utf-8")


def test_every_block_of_the_page_is_run_or_needs_a_network() -> None:
    # "set up" and "download" are not run here, because they need a network.
    assert list(BLOCKS) == ["set up", "download", "generate", "two_sessions.py", "run", "output", "follow"]
    assert PAGE.count("\n```") == 2 * len(BLOCKS)


def test_the_generated_package_imports_only_attrs_and_the_library(tmp_path: Path) -> None:
    shutil.copy(DICTIONARY, tmp_path / "FIX44.xml")
    run_block(tmp_path, "generate")
    text = "\n".join(path.read_text("utf-8") for path in (tmp_path / "acme_fix").rglob("*.py"))
    packages = {
        line.split()[1].split(".")[0] for line in re.findall(r"^(?:from|import) .*", text, re.MULTILINE)
    }
    assert packages - sys.stdlib_module_names == {"acme_fix", "attrs", "kalshi_fix_sansio"}


def test_a_spec_can_be_adapted_with_the_steps_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(DICTIONARY, tmp_path / "FIX44.xml")
    run_block(tmp_path, "generate")
    spec = tmp_path / "spec"
    edit(spec / "sessions.yaml", "  FIX:", "  ORDERS:")
    edit(spec / "sessions.yaml", "resend: true", "resend: false")
    [flag] = re.findall(r"`(VenueFlag: .*?)`", PAGE)
    with (spec / "fields.yaml").open("a", encoding="utf-8") as file:
        file.write(f"  {flag}\n")
    edit(spec / "messages" / "application.yaml", "      OrderQty: optional\n", "      VenueFlag: required\n")
    edit(spec / "codesets.yaml", "    doc: Values of Side.\n", "    doc: Values of Side.\n    open: false\n")
    edit(spec / "messages" / "session.yaml", "      Username: optional\n", "      Username: required\n")
    package: Any = generate_and_import(spec, tmp_path / "made", monkeypatch)
    clock = Clock()
    fields = package.LogonFields(username="me")
    client = make_session(package.DIALECT, Role.INITIATOR, "ME", "ACME", logon_fields=fields)
    venue = make_session(package.DIALECT, Role.ACCEPTOR, "ACME", "ME", logon_fields=fields)
    assert client.config.session_type.name == "ORDERS"
    venue.connect(clock.now)
    client.connect(clock.now)
    logon = client.data_to_send()
    assert b"\x01553=me\x01" in logon
    assert b"\x011137=" not in logon  # DefaultApplVerID is a field of FIXT only
    venue.receive_data(logon, clock.now)
    Pair(clock, client, venue).settle()
    common = {"cl_ord_id": "1", "symbol": "IBM", "transact_time": clock.utc, "ord_type": "1"}
    with pytest.raises(TypeError, match="venue_flag"):
        package.NewOrderSingle(side="1", **common)
    unlisted = package.NewOrderSingle(side="7", venue_flag=True, **common)
    with pytest.raises(
        LocalProtocolError, match=r"Side \(54\) is '7': expected one of 1 \(BUY\), 2 \(SELL\)"
    ):
        client.send(unlisted, clock.now, allow_unknown_codes=True)
    client.send(package.NewOrderSingle(side="1", venue_flag=True, **common), clock.now)
    data = client.data_to_send()
    assert b"\x019001=Y\x01" in data
    venue.receive_data(data, clock.now)
    received = [event.message for event in venue.events() if isinstance(event, MessageReceived)]
    assert received == [package.NewOrderSingle(side="1", venue_flag=True, **common)]


def test_an_import_lists_the_omitted_parts_as_differences(tmp_path: Path) -> None:
    shutil.copy(DICTIONARY, tmp_path / "FIX44.xml")
    run_block(tmp_path, "generate")
    text = (tmp_path / "spec" / "differences.yaml").read_text("utf-8")
    assert re.findall(r"  - (\w+=\w)", text) == ["ExecInst=1", "ExecInst=6"]
    assert load_dialect(tmp_path / "spec").begin_string == "FIX.4.4"
