"""Changes of the look."""

from __future__ import annotations

import hashlib
import io
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps, UnidentifiedImageError

from portal.brand.models import Logo
from portal.lib.errors import PortalError
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Installation
from portal.tenancy.services import audit

MOST_BYTES: Final = 1_000_000
_MOST_PIXELS: Final = 16_000_000
_SIZE: Final = (640, 128)  # twice of what pages show at most
_FORMATS: Final = ("PNG", "JPEG", "WEBP")


class LogoRefused(PortalError):
    """The file cannot be a logo."""

    code, status = "logo_refused", 422
    message = "%(detail)s"


def logo_anew(body: bytes) -> bytes:
    """The picture drawn anew as a PNG of at most 640 x 128 pixels, without anything else that the file held.

    Raises LogoRefused: no picture we read (an SVG may hold scripts), too large, damaged.
    """
    if len(body) > MOST_BYTES:
        raise LogoRefused(detail=_("The file has more than 1 MB."))
    try:
        with Image.open(io.BytesIO(body), formats=_FORMATS) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise LogoRefused(detail=_("The picture has more than 16 million pixels."))
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise LogoRefused(detail=_("The file is no picture that can be used; take a PNG, JPEG or WebP.")) from None
    picture.thumbnail(_SIZE)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def brand_change(
    *, accent: str, sender_name: str, sender: str, logo: bytes | None, drop_logo: bool, at: datetime, actor: str
) -> Installation:
    """Stores the look as a whole; `logo` is what `logo_anew` gave, None leaves the one in use. Audited."""
    with as_tenant(OPERATOR_ID), transaction.atomic():
        row = Installation.objects.select_for_update().get(pk=1)
        before = {name: getattr(row, name) for name in ("accent", "sender_name", "sender", "logo_digest")}
        row.accent, row.sender_name, row.sender = accent, sender_name, sender
        if logo is not None:
            Logo.objects.update_or_create(pk=1, defaults={"body": logo})
            row.logo_digest = hashlib.sha256(logo).hexdigest()
        elif drop_logo:
            Logo.objects.filter(pk=1).delete()
            row.logo_digest = ""
        row.save(update_fields=list(before))
        changed = {name: [old, getattr(row, name)] for name, old in before.items() if old != getattr(row, name)}
        if changed:
            audit(action="brand.changed", actor=actor, at=at, object_type="brand", object_id="1", details=changed)
        return row
