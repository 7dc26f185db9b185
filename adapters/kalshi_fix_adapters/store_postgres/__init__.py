"""A message store in Postgres, which a process on another host can take over. It needs the extra `postgres`.

Modules:
- `factory`: the stores in a database
- `store`: the store itself
- `database`: reads and writes the rows of a store
- `connection`: connections, and the acquisition of leases
- `keys`: moving a store to another API key
- `schema`: the tables, their migration and the queries
"""

from kalshi_fix_sansio.errors import ConfigurationError

try:
    import psycopg as psycopg
except ModuleNotFoundError:
    raise ConfigurationError(
        "stores in Postgres need psycopg: pip install 'kalshi-fix-sansio[postgres]'"
    ) from None

from kalshi_fix_adapters.errors import StoreInUseError
from kalshi_fix_adapters.store_postgres.database import Failover
from kalshi_fix_adapters.store_postgres.factory import PostgresDatabase
from kalshi_fix_adapters.store_postgres.store import PostgresStore

__all__ = ["Failover", "PostgresDatabase", "PostgresStore", "StoreInUseError"]
