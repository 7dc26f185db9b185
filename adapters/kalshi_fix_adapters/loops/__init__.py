"""What the clients for asynchronous loops share: the user's calls and the loop's side.

`async_client` has the first, `adapter` the second. The package's own two, `asyncio` and `trio`, are made of
it, and so is one for any other loop: docs/write-an-adapter.md. It may import `engine` and all that `engine`
may.
"""
