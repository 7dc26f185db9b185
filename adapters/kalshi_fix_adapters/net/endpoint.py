"""Where a session type is served."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.classes.value import Value


@attrs.frozen(eq=False, repr=False)
class Endpoint(Value):
    """Where one session type is served."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
