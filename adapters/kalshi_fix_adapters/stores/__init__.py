"""The parts that all durable stores share.

Modules: `owner` names the account and session of a store; `summary` is its content for inspection; `commits`
makes records durable in a thread; `factory` is the interface by which clients and commands open a store of
any kind.
"""

from kalshi_fix_adapters.stores.factory import OpenedStore, StoreFactory
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.summary import StoreSummary

__all__ = ["OpenedStore", "StoreFactory", "StoreOwner", "StoreSummary"]
