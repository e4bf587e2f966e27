"""The demo world: a seeded story fed through the real doors under a set clock. Refused in production."""
