"""The notebook of docs/how-to/notebooks.md, in a running event loop, as in Jupyter."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_sansio.trading import Cash, Positions
from tests.programs import skip_unless_required

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "how-to" / "notebooks.md"
CELLS = re.findall(r"^```py title=\"cell\"\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
PACKAGES = ("nbclient", "nbformat", "ipykernel", "matplotlib", "pandas")
NEEDS_PANDAS = re.compile(r"pandas|numbers")


def test_the_cells_without_pandas_run_in_a_running_loop() -> None:
    namespace: dict[str, Any] = {}

    async def notebook() -> None:
        for cell in CELLS:
            if NEEDS_PANDAS.search(cell):
                continue
            code = compile(cell, str(PAGE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, namespace)
            if inspect.isawaitable(result):
                await result

    asyncio.run(notebook())
    positions, cash = namespace["positions"], namespace["cash"]
    assert isinstance(positions, Positions)
    assert isinstance(cash, Cash)
    position = positions.of(namespace["MARKET"])
    assert [position.net, position.bought, position.sold] == [0, 10, 10]
    # of 10 contracts bought at 0.44, 4 were sold at 0.40 and 6 at 0.43 or better
    assert [fill["net"] for fill in namespace["fills"]] == [10, 6, 0]
    assert namespace["fills"][-1]["profit"] == position.profit(Decimal("0.5"))
    assert position.realized < 0


def test_the_page_is_a_notebook_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        reason = f"{', '.join(missing)} are not installed; `make notebook` installs them"
        skip_unless_required("NOTEBOOK", reason)
    nbclient, nbformat = [importlib.import_module(name) for name in PACKAGES][:2]
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(str(ROOT / each) for each in ("src", "adapters", "venue"))
    )
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {
        cell.source.strip(): output.data
        for cell in notebook.cells
        for output in cell.outputs
        if output.output_type in ("execute_result", "display_data")
    }
    for name, title in (("positions", "Positions: 1"), ("cash", "Balances: 1")):
        assert title in shown[name]["text/html"]
    assert any("image/png" in data for data in shown.values())
    assert (tmp_path / "profit.png").stat().st_size > 0
