"""`manage.py resume_sending`: what waited goes out, unless it has grown too old (P5, O9)."""

from __future__ import annotations

from portal.notify.management.commands import pause_sending


class Command(pause_sending.Command):
    """The opposite of pause_sending."""

    help = "Lets mails leave again after pause_sending or a restore."
    paused = False
