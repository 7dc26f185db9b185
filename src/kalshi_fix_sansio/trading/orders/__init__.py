"""Order state, computed from requests, execution reports and session events."""
