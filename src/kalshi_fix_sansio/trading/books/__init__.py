"""Order books, kept from market data."""
