"""Types that describe a FIX dialect: layouts of messages, session types, conditions, limits and problems.

`layout` describes messages and session types, `base` contains the base classes of the generated messages,
`conditions` evaluates conditions on a message's fields, `limits` checks the limits of values, `support`
contains helpers of the generated code, `history` derives the dialect of an earlier date, and `problems`
classifies errors by SessionRejectReason (373).
"""
