"""Parts that the state machines share: amounts, report keys, uncertain items, dumps, and requests
with an unknown outcome.
"""
