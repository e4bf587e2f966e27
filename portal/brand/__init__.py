"""How the portal looks and signs itself: the operator's logo, accent and sender of mails."""
