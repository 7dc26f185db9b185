"""The parts that all durable stores share.

Modules: `owner` names the account and session of a store; `summary` is its content for inspection; `commits`
makes records durable in a thread; `durable` is the store that records for it; `pending` has the recorded but
unwritten changes; `rows` encodes values, each with a checksum; `sent_requests` are the ids that outlive
messages; `retention` decides when old messages are deleted; `keys` is for changes of the API key; `lease`
ends the use of a store that another process may take over; `factory` is the interface by which clients and
commands open a store of any kind.
"""

from kalshi_fix_adapters.stores.factory import OpenedStore, StoreFactory
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.sent_requests import SentRequest, SentRequestStore
from kalshi_fix_adapters.stores.summary import StoreSummary

__all__ = ["OpenedStore", "SentRequest", "SentRequestStore", "StoreFactory", "StoreOwner", "StoreSummary"]
