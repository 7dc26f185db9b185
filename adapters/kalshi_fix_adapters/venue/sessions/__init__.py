"""Between the bytes and the gateways: connections with their sessions, who may log on, what waits for a
client that is away, and what faults do to all of it. `Venue` puts them together."""
