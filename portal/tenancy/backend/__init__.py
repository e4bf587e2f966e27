"""Django's PostgreSQL backend that tells the database the scope at the start of every transaction."""
