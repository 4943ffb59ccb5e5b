"""Wyoming over TCP: a port, its connections, and the announcement in the local network."""
