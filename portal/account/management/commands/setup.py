"""`manage.py setup`: the first installation - the operator, and an invitation for the first administrator.

Asks on a terminal for what no flag gives; elsewhere it names what is missing.
"""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentParser
from typing import Any, Final
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from portal.account.invitations import invitation_create
from portal.account.management.commands._base import PeopleCommand
from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import installation
from portal.tenancy.services import installation_create
from tracking.services import places_load

# flag, question, example
_ASKED: Final = (
    ("name", "The operator's name", "Meridian Forwarding"),
    ("code", "A short code for it (letters, digits, - and _)", "MERIDIAN"),
    ("zone", "Its time zone", "Europe/Amsterdam"),
    ("currency", "The currency of its credits", "EUR"),
    ("admin_email", "The first administrator's e-mail address", "admin@example.com"),
    ("admin_name", "The first administrator's name", "Sam Example"),
)


class Command(PeopleCommand):
    """Run again while nobody administers yet, it prints a new link."""

    help = "Sets the operator up and prints a link for the first administrator."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One flag for each question."""
        for name, question, example in _ASKED:
            parser.add_argument(f"--{name.replace('_', '-')}", default="", help=f"{question}, for example {example}")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Operator, places, invitation, in one transaction."""
        found = installation()
        if found is not None:
            with as_tenant(OPERATOR_ID):
                if Member.objects.filter(role=Role.ADMIN.value, is_active=True).exists():
                    raise self.refuse(f"This installation is set up already, for {found.name}.")
        wanted = _ASKED[4:] if found is not None else _ASKED
        answers = {
            name: options[name].strip() or self._ask(name, question, example) for name, question, example in wanted
        }
        self._check(answers)
        at = clock.now()
        with transaction.atomic():
            if found is None:
                found = installation_create(
                    name=answers["name"], code=answers["code"].upper(), zone=answers["zone"],
                    currency=answers["currency"].upper(), at=at,
                )  # fmt: skip
                places_load()
            with as_tenant(OPERATOR_ID):
                made = invitation_create(
                    email=answers["admin_email"], name=answers["admin_name"], role=Role.ADMIN.value, by=None, at=at,
                    mail=False,
                )  # fmt: skip
        if options["json"]:
            self.stdout.write(json.dumps({"operator": found.code, "email": made.invitation.email, "url": made.url}))
        else:
            self.stdout.write(
                f"{found.name} is set up. {answers['admin_name']} chooses a password here, within 7 days:"
            )
            self.stdout.write(made.url)

    def _ask(self, name: str, question: str, example: str) -> str:
        if not sys.stdin.isatty():
            raise self.refuse(f"--{name.replace('_', '-')} is missing: {question.lower()}, for example {example}.")
        return input(f"{question} (for example {example}): ").strip()

    def _check(self, answers: dict[str, str]) -> None:
        for name, answer in answers.items():
            if not answer:
                raise self.refuse(f"--{name.replace('_', '-')} is empty.")
            if len(answer) > 120:
                raise self.refuse(f"--{name.replace('_', '-')} is longer than 120 characters.")
        if "code" in answers:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", answers["code"], re.ASCII):
                raise self.refuse("--code takes up to 32 letters, digits, - and _, and begins with a letter or digit.")
            if answers["zone"] not in available_timezones():
                raise self.refuse(f"{answers['zone']} is not a time zone; try one like Europe/Amsterdam.")
            if not re.fullmatch(r"[A-Za-z]{3}", answers["currency"], re.ASCII):
                raise self.refuse("--currency takes the three letters of ISO 4217, for example EUR.")
        try:
            validate_email(answers["admin_email"])
        except ValidationError:
            raise self.refuse(f"{answers['admin_email']} is not an e-mail address.") from None
