"""A message store that survives the process: one SQLite file for each account and session.

Modules:
- `folder`: the stores in a folder
- `store`: the store itself
- `file`: the open file, its queries and its commits
- `mark`: detects lost commits
- `owner`: the file name for an owner
- `keys`: moving a store to another API key
- `lock`: restricts each file to one process at a time
- `tables`: the tables, and the creation of a file
- `failures`: error texts with remedies
- `summary`: the inspection of a file, which may be in use
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
