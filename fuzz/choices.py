"""Choices made by bytes, so that the bytes alone replay them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Reads choices from bytes. Behind their end every choice is the first one, and `left` is False."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        """Whether there are bytes that nothing was chosen by yet."""
        return self._at < len(self._data)

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        size = (max(count - 1, 0).bit_length() + 7) // 8
        return int.from_bytes(self.take(size), "big") % count if size else 0

    def one_in(self, count: int) -> bool:
        """Say yes once in so many times, and never behind the end."""
        return self.below(count) == count - 1

    def pick(self, options: Sequence[T]) -> T:
        """Return one of these."""
        return options[self.below(len(options))]

    def take(self, size: int) -> bytes:
        """Return the next bytes, as many as there are."""
        found = self._data[self._at : self._at + size]
        self._at += len(found)
        return found

    def chunk(self) -> bytes:
        """Return up to 255 bytes."""
        return self.take(self.below(256))

    def rest(self) -> bytes:
        """Return all bytes that are left."""
        return self.take(len(self._data))
