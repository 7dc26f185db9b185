"""`kalshi-fix demo`: a first order on each product, told as it happens."""
