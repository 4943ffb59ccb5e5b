"""Hostile clients, fuzzing, long runs and overload."""
