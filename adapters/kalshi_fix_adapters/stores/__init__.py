"""The parts that all durable stores share.

Modules:
- `factory`: the interface through which clients and commands open a store of any kind
- `owner`: the account and session of a store
- `durable`: the base class of the durable stores
- `commits`: the thread that writes commits
- `pending`: the changes that are recorded but not yet written
- `rows`: the encoding of values as rows with checksums
- `sent_requests`: the ids of sent requests, which are kept longer than the messages
- `retention`: when old messages are deleted
- `keys`: changes to the API key
- `lease`: the time until another process may take over a store
- `summary`: the content of a store, for inspection
"""

from kalshi_fix_adapters.stores.factory import OpenedStore, StoreFactory
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.sent_requests import SentRequest, SentRequestStore
from kalshi_fix_adapters.stores.summary import StoreSummary

__all__ = ["OpenedStore", "SentRequest", "SentRequestStore", "StoreFactory", "StoreOwner", "StoreSummary"]
