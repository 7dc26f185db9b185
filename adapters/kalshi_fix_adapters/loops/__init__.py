"""The shared base of the async clients: the user's API (`async_client`) and the loop's side (`adapter`).

`asyncio` and `trio` are built on it, and so is an adapter for any other loop: docs/write-an-adapter.md. The
package may import `engine` and everything that `engine` may import.
"""
