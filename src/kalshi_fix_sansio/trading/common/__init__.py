"""Parts that the state machines share: amounts, report keys, uncertain items, dumps, requests with an
unknown outcome.
"""
