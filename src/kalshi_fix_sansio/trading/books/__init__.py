"""Order books, built from market data."""
