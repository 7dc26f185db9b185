"""`kalshi-fix mcp`: lets an assistant read logs and stores. It needs the extra `mcp`.

The server imports no client and opens no connection. Other distributions register further tools through the
entry-point group `kalshi_fix.tools`.
"""
