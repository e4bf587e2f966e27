"""How allauth is bent to the portal: no open sign-up, our own texts and limits."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter


class AccountAdapter(DefaultAccountAdapter):
    """People come by invitation only."""

    def is_open_for_signup(self, request: object) -> bool:
        """Nobody signs up alone."""
        return False


class MFAAdapter(DefaultMFAAdapter):
    """One-time codes."""
