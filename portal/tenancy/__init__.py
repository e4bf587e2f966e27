"""Whose it is: tenants, people, keys, the scope, the walls, the audit trail. Stands under every other app."""
