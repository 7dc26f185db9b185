"""The FIX Orchestra repository is valid according to the official schema, checked with libxml2.

The schema's licence keeps it out of this project: ORCHESTRA_SCHEMA names the folder with repository.xsd.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import pytest

etree = pytest.importorskip("lxml.etree")
SCHEMA = os.environ.get("ORCHESTRA_SCHEMA", "")


@pytest.mark.skipif(not SCHEMA, reason="ORCHESTRA_SCHEMA does not name the folder of the official schema")
def test_the_repository_is_valid() -> None:
    schema = etree.XMLSchema(etree.parse(Path(SCHEMA) / "repository.xsd"))
    repository = files("kalshi_fix_sansio") / "dictionaries" / "orchestra.xml"
    schema.assertValid(etree.fromstring(repository.read_bytes()))
