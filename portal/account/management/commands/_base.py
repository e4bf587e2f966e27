"""What the commands of people share: bad input is one sentence and exit code 2."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from portal.tenancy.selectors import tenant_id_of_code


class PeopleCommand(BaseCommand):
    """A command that refuses in words."""

    requires_migrations_checks = False

    def refuse(self, sentence: str) -> CommandError:
        """The error to raise."""
        return CommandError(sentence, returncode=2)

    def tenant_id(self, code: str) -> int:
        """The account with this code; refuses an unknown one."""
        found = tenant_id_of_code(code)
        if found is None:
            raise self.refuse(f"There is no account with the code {code}.")
        return found
