"""Order groups, their state and their limits."""
