"""Extraction of Python from the documentation for type checking; `make types` runs pyright on all of it."""

from __future__ import annotations

import re

from tools.check_types import EXAMPLES, PAGES, python_parts

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

```py title="test_own.py"
own = 3
```

```py title="examples/first_order.py"
shown = 4
```
"""


def test_python_extracted_from_a_page_keeps_its_line_numbers_and_separates_its_tabs() -> None:
    parts = python_parts(PAGE)
    [*tabs, file] = parts
    assert tabs == ["asyncio", "trio"]
    assert parts[file].splitlines()[PAGE.splitlines().index("own = 3") :] == ["own = 3"]
    for label in tabs:
        code = parts[label]
        lines = code.splitlines()
        assert [line for line in lines if line] == ["first = 1", f"import {label}", "last = 2"]
        assert all(PAGE.splitlines()[number].strip() == line for number, line in enumerate(lines) if line)
    assert list(python_parts("```python\nlen\n```\n").values()) == ["\nlen\n"]
    assert python_parts("```sh\nls\n```\n") == {}


def test_every_page_with_python_is_type_checked() -> None:
    blocks = 0
    for page in PAGES:
        text = page.read_text("utf-8")
        checked = {line.strip() for code in python_parts(text).values() for line in code.splitlines()}
        for title, code in re.findall(r"^ *```(?:py(?:thon)?)(.*)\n((?s:.*?))^ *```$", text, re.MULTILINE):
            shown = re.fullmatch(r' title="(examples/\w+\.py)"', title)
            assert shown is None or (EXAMPLES.parent / shown[1]).exists()
            assert shown or {line.strip() for line in code.splitlines()} <= checked, f"{page.name}: {code}"
            blocks += 1
    assert blocks > 100
