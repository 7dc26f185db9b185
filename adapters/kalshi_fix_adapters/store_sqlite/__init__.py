"""A message store that survives the process: one SQLite file for each account and session.

Where things are: `owner` whose file it is and how it is named; `lock` one process at a time; `layout` the
tables, a new file and an old one; `rows` how values lie in them, each row with a check sum; `pending` what is
recorded and not yet written; `retention` what is forgotten; `failures` every error as a sentence; `store` the
store itself; `summary` a look into a file, also while it is in use.
"""

from kalshi_fix_adapters.store_sqlite.owner import StoreOwner, store_path
from kalshi_fix_adapters.store_sqlite.store import SqliteStore, Sync
from kalshi_fix_adapters.store_sqlite.summary import StoreSummary, read_summary

__all__ = ["SqliteStore", "StoreOwner", "StoreSummary", "Sync", "read_summary", "store_path"]
