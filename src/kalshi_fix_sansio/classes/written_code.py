"""Functions whose source is written at run time, from a dialect and, in `codec.compiled`, a peer's tags.

All of them are made here, so that there is one place to look at for what gets into such source: names that
the library chose, numbers, and references to objects. Values of messages never do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def make_function(signature: str, lines: Iterable[str], names: dict[str, Any], what: str) -> Any:
    """Return the function of this signature, such as `check(m)`, with these lines as its body.

    `names` is what the lines refer to, and `what` is shown in tracebacks.
    """
    source = f"def {signature}:\n" + "".join(f"    {line}\n" for line in lines)
    exec(compile(source, f"<{what}>", "exec"), names)  # noqa: S102 - see above
    return names[signature.partition("(")[0]]
