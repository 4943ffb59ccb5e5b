"""The streaming server: WebSocket connections, their wire dialects, limits and metrics."""
