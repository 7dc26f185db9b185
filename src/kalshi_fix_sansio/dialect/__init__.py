"""Types that describe a FIX dialect: layouts of messages, session types, conditions, limits and problems.

`layout` describes messages and session types; `base` contains the base classes of the generated messages;
`conditions` evaluates conditions on the fields of a message; `limits` checks the limits of values; `support`
contains helpers for the generated code; `history` derives the dialect of an earlier date; `problems`
classifies errors by SessionRejectReason (373).
"""
