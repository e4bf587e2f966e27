"""`manage.py demo_code EMAIL [--json]`: a one-time code of a demo user that has not been used yet."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings

from portal.account import totp
from portal.account.management.commands._base import PeopleCommand
from portal.lib import clock, seal


class Command(PeopleCommand):
    """Refused outside the demo and tests: it gives away the second factor."""

    help = "Prints a one-time code of a demo user."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose."""
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """The present code, or the next one when that was used; waits until it is valid, 30 seconds at most."""
        if settings.MODE not in ("demo", "test"):
            raise self.refuse("One-time codes are printed for the demo's users only.")
        email = options["email"].strip().lower()
        row = Authenticator.objects.filter(user__email=email, type=Authenticator.Type.TOTP).first()
        if row is None:
            raise self.refuse(f"{email} has no second factor.")
        step = max(totp.step_at(clock.now()), int(row.data["last_step"]) + 1)
        while step > totp.step_at(clock.now()) + totp.TOLERANCE:
            time.sleep(0.5)
        code = totp.code_of_step(seal.unseal(row.data["secret"]), step)
        self.stdout.write(json.dumps({"email": email, "code": code}) if options["json"] else code)
