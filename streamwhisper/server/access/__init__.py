"""Authentication, origin checks, client addresses, quotas and TLS."""
