"""WebSocket connections, their routes, and the HTTP endpoints beside them."""
