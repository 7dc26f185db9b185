"""`kalshi-fix mcp`: read logs and stores from an assistant. It needs the extra `mcp`.

The server imports no client and opens no connection. Other distributions register further tools by the
entry-point group `kalshi_fix.tools`.
"""
