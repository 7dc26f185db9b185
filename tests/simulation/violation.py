"""The exception for a violated invariant."""

from __future__ import annotations


class Violation(Exception):
    """The run shows a fault in the code under test; `rule` is the short name of the violated invariant."""

    def __init__(self, rule: str, text: str) -> None:
        self.rule = rule
        self.text = text
        super().__init__(f"{rule}: {text}")
