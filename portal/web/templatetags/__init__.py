"""Template tags of the shell; nothing else lives here."""
