"""Types that describe a FIX dialect: layouts of messages, session types, conditions, limits and problems.

- `layout`: descriptions of messages and session types
- `base`: the base classes of the generated messages
- `conditions`: evaluates conditions on the fields of a message
- `limits`: checks values against their limits
- `support`: helpers for the generated code
- `history`: derives the dialect of an earlier date
- `problems`: problems with a message, classified by SessionRejectReason (373)
"""
