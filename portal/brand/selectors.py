"""The look as it is now, from the installation's row that every page reads anyway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.urls import reverse

from portal.brand.colours import DEFAULT, accents
from portal.brand.models import Logo
from portal.lib import ids
from portal.tenancy.models import Installation
from portal.tenancy.selectors import installation


@dataclass(frozen=True, slots=True)
class Look:
    """What pages and mails take of the brand."""

    name: str = "Plimsoll"
    accent: str = ""
    logo: str = ""  # digest
    sender_name: str = ""
    sender: str = ""

    @property
    def mark(self) -> str:
        """Stands in the address of the style sheet, which is therefore kept for good; empty: no sheet is needed."""
        return ids.digest(self.accent)[:12] if self.accent else ""

    @property
    def ink(self) -> str:
        """The accent as mails use it, on white."""
        return accents(self.accent).day.accent if self.accent else DEFAULT

    @property
    def mail_from(self) -> str:
        """The From header: the operator's sender, else the one of this installation's settings."""
        name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
        return formataddr((self.sender_name or name, self.sender or address))

    def for_pages(self) -> dict[str, str]:
        """What templates call `brand`."""
        return {
            "name": self.name, "css_url": reverse("brand:sheet", args=[self.mark]) if self.mark else "",
            "logo_url": reverse("brand:logo", args=[self.logo]) if self.logo else "",
        }  # fmt: skip


def look(row: Installation | None = None) -> Look:
    """The plain look before anything was chosen."""
    row = row or installation()
    if row is None:
        return Look()
    return Look(
        name=row.name, accent=row.accent, logo=row.logo_digest, sender_name=row.sender_name, sender=row.sender
    )  # fmt: skip


def look_of(read: Mapping[str, str] | None) -> Look:
    """From what came along with the person's own row (`member_get`); without a person it is asked for."""
    if read is None:
        return look()
    return Look(name=read["name"], accent=read["accent"], logo=read["logo_digest"])


def logo_bytes(digest: str) -> bytes | None:
    """The picture of that digest, if it is the one in use."""
    if not digest or look().logo != digest:
        return None
    found = Logo.objects.filter(pk=1).values_list("body", flat=True).first()
    return None if found is None else bytes(found)
