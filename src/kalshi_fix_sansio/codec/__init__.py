"""The codec: converts the messages of a dialect between bytes and typed objects.

`Codec` is constructed from a `Dialect`, and encodes and decodes messages. It decodes leniently, because a
venue may add fields and values at any time, or strictly. For display, it also splits damaged messages into
fields.
"""

from __future__ import annotations

from kalshi_fix_sansio.codec.codec import Codec
from kalshi_fix_sansio.codec.nodes import FieldNode, GroupNode, Inspection, Node

__all__ = ["Codec", "FieldNode", "GroupNode", "Inspection", "Node"]
