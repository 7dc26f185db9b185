"""Functions whose source is generated at run time, from a dialect and, in `codec.compiled`, the tags that a
peer sends.

All such functions are compiled here, so there is a single place to audit. Their source contains numbers and
names that the library chooses, but never values from messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def make_function(signature: str, lines: Iterable[str], names: dict[str, Any], file_name: str) -> Any:
    """Return a function with this signature, such as `check(m)`, and these lines as its body.

    `names` is the namespace of the lines; `file_name` is shown in tracebacks.
    """
    source = f"def {signature}:\n" + "".join(f"    {line}\n" for line in lines)
    exec(compile(source, f"<{file_name}>", "exec"), names)  # noqa: S102 - see above
    return names[signature.partition("(")[0]]
