"""Order groups: their states and limits."""
