"""The library: what needs no tables."""
