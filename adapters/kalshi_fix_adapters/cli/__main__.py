"""`python -m kalshi_fix_adapters.cli` runs the `kalshi-fix` command."""

from kalshi_fix_adapters.cli import main

main()
