"""A simulated Kalshi: an exchange model, the FIX gateway in front of it, and a TLS server."""
