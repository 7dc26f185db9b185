"""Orders, kept from requests, execution reports and the events of the session."""
