"""The codec: converts the messages of a dialect between bytes and typed objects.

`Codec` is constructed from a `layout.Dialect`. It decodes leniently (a venue may add fields and values at any
time) or strictly, splits damaged messages into fields for display, and encodes messages.
"""

from __future__ import annotations

from kalshi_fix_sansio.codec.codec import Codec
from kalshi_fix_sansio.codec.nodes import FieldNode, GroupNode, Inspection, Node

__all__ = ["Codec", "FieldNode", "GroupNode", "Inspection", "Node"]
