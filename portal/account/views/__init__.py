"""The doors of people: signing in, second factor, members, keys, the audit trail."""
