"""The examples of the spec as messages, in the order of the log that `python -m codegen` writes from them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from codegen.export.reference import examples
from codegen.read.resolve import load_dialect
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import Sender

ROOT = Path(__file__).resolve().parents[3]
KEY = "3c6e2a5e-7f7d-4d3a-9a50-1f3f6f0c8d11"
SYMBOL = "KXHIGHNY-26AUG17-B80.5"
ExchangedMessage = tuple[str, str, Sender, Message]
"""Product, session type, sender and message."""


@cache
def example_messages() -> tuple[ExchangedMessage, ...]:
    """Return every example, in the order of the log."""
    spec = ROOT / "spec" / "kalshi"
    found = examples.load(load_dialect(spec), spec)
    return tuple(
        (example.product, example.session, Sender(example.sender), _message_from(example.source))
        for listed in found.values()
        for example in listed
    )


def _message_from(source: str) -> Message:
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    message: Message = namespace["message"]
    return message
