"""Recognition on a Ray cluster: workers, the gateway's recognizer and the wire between them."""
