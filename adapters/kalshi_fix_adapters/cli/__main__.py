"""`python -m kalshi_fix_adapters.cli` is `kalshi-fix`."""

from kalshi_fix_adapters.cli import main

main()
