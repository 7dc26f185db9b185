"""The layer between the bytes and the gateways: connections with their sessions, admission of Logons, queues
for disconnected clients, and injected faults. `VenueModel` combines them."""
