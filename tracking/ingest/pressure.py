"""Whether there is room for more: above the marks a door says "later", before anything is stored (G13)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError
from tracking.models import InboundMessage, MessageState


class TooMuchWaiting(PortalError):
    """More messages wait to be applied than the mark allows."""

    code, status = "too_much_waiting", 429
    message = _("Too many messages wait to be applied. Nothing was stored; send it again later.")
    headers: Mapping[str, str] = {"Retry-After": "60"}


class TooLittleRoom(PortalError):
    """The disk under the database is nearly full."""

    code, status = "too_little_room", 503
    message = _("There is no room for messages at the moment. Nothing was stored; send it again later.")
    headers: Mapping[str, str] = {"Retry-After": "300"}


def room_or_refuse() -> None:
    """Raises TooLittleRoom or TooMuchWaiting; asked in the scope that would hold the message, before it is stored."""
    if settings.INGEST_DISK and shutil.disk_usage(settings.INGEST_DISK).free < settings.INGEST_LEAST_FREE_MB * 2**20:
        raise TooLittleRoom
    waiting = InboundMessage.objects.filter(state=MessageState.RECEIVED).order_by("received_at")
    if waiting[settings.INGEST_MOST_WAITING : settings.INGEST_MOST_WAITING + 1].exists():
        raise TooMuchWaiting
