"""A message store that survives the process: one SQLite file for each account and session.

Modules: `folder` opens the stores of a folder; `owner` names the file of an owner; `keys` moves stores to
another API key; `lock` limits a file to one process at a time; `tables` has the tables and creates a file;
`failures` converts errors into sentences; `store` is the store itself; `summary` inspects a file, also while
in use.
"""

from kalshi_fix_adapters.store_sqlite.folder import SqliteFolder
from kalshi_fix_adapters.store_sqlite.keys import find_store, migrate_store
from kalshi_fix_adapters.store_sqlite.owner import store_path
from kalshi_fix_adapters.store_sqlite.store import SqliteStore, Sync
from kalshi_fix_adapters.store_sqlite.summary import read_summary
from kalshi_fix_adapters.stores import StoreOwner, StoreSummary

__all__ = [
    "SqliteFolder",
    "SqliteStore",
    "StoreOwner",
    "StoreSummary",
    "Sync",
    "find_store",
    "migrate_store",
    "read_summary",
    "store_path",
]
