"""Sessions of the server: admission, start-up, resumption and their close codes."""
