"""`kalshi-fix venue` and `kalshi-fix demo`: serve, operate, simulate and replay the simulated Kalshi."""

from kalshi_fix_adapters.cli.kit.subcommand import Subcommand

SUBCOMMANDS = {
    "demo": Subcommand("kalshi_fix_venue.cli.demo", "Show a first order from end to end."),
    "venue": Subcommand("kalshi_fix_venue.cli.venue", "Run the simulated Kalshi."),
}
