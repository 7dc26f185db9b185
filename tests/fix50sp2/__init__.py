"""Plain FIX 5.0 SP2 over FIXT 1.1: a second dialect for the session layer, without Kalshi's extensions.

Only the spec is committed. Codegen writes the package `tests.fix50sp2.dialect` when this package is first
imported, and again after a change to the spec or to codegen.
"""

from __future__ import annotations

from pathlib import Path

from codegen.on_first_import import bring_up_to_date

HERE = Path(__file__).resolve().parent

bring_up_to_date(HERE / "spec", f"{__name__}.dialect", HERE / "dialect")
