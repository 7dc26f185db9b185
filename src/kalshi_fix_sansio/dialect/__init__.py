"""A FIX dialect as values: layouts of messages, session types, limits, and what each product supports.

`layout` describes messages and session types, `base` is the base of the generated message classes,
`conditions` are rules about optional fields, `limits` are bounds of the venue, `support` lists which product
and session type allows a message, and `problems` names faults of a message by SessionRejectReason (373).
"""
