"""Reference pages of the docs: every message, every tag, sessions and hosts, the dialect's history."""
