"""Doors of webhooks, for the managers of an account whose tier includes them."""
