"""Adapters, one file a format: pure functions from bytes to canonical events; they never import each other."""
