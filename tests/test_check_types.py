"""Extraction of Python from the documentation for type checking; `make types` runs pyright on all of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

TOOL = Path(__file__).resolve().parent.parent / "tools" / "check_types.py"
PAGE = """# A page

```python
first = 1
```

=== "asyncio"

    ```python
    import asyncio
    ```

=== "trio"

    ```python title="example.py"
    import trio
    ```

```sh
ls
```

```python
last = 2
```
"""


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(TOOL.stem, TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_python_extracted_from_a_page_keeps_its_line_numbers_and_separates_its_tabs() -> None:
    parts = tool().python_of(PAGE)
    assert list(parts) == ["asyncio", "trio"]
    for label, code in parts.items():
        lines = code.splitlines()
        assert [line for line in lines if line] == ["first = 1", f"import {label}", "last = 2"]
        assert all(PAGE.splitlines()[number].strip() == line for number, line in enumerate(lines) if line)
    assert list(tool().python_of("```python\nlen\n```\n").values()) == ["\nlen\n"]
    assert tool().python_of("```sh\nls\n```\n") == {}


def test_every_page_with_python_is_type_checked() -> None:
    check = tool()
    with_python = [page for page in check.PAGES if "```python" in page.read_text("utf-8")]
    assert len(with_python) > 20
    assert all(check.python_of(page.read_text("utf-8")) for page in with_python)
