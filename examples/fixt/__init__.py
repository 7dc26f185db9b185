"""The dialect of the FIXT examples, a small subset of FIX 5.0 SP2; only its spec (`fixt_spec`) is committed.

`fixt.dialect` is generated when an example is first run, and again after a change to the spec. This requires
a clone of the repository with codegen's dependencies (`make .venv/dev.stamp`).
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1]))

from codegen.on_first_import import bring_up_to_date  # noqa: E402 - importable only after the line above

bring_up_to_date(HERE.parent / "fixt_spec", f"{__name__}.dialect", HERE / "dialect")
