"""The shared base of the async clients: the user's API (`async_client`) and the base class of the adapters to
event loops (`adapter`). `asyncio` and `trio` are built on it; docs/write-an-adapter.md shows how to support
another loop. The package may import `engine` and everything that `engine` may import.
"""
