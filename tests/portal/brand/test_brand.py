"""The operator's look: a colour that can be read, a picture that is only a picture, a sender in one line."""

from __future__ import annotations

import io
import re
from email import policy
from email.parser import BytesParser
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from portal.brand.colours import accents, contrast, is_colour
from portal.brand.selectors import look
from portal.brand.services import LogoRefused, brand_change, logo_anew
from portal.lib import clock
from portal.notify.channels import Mail, mail_bytes
from portal.notify.notices import Reader, notice_render
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.doors import client_of
from tracking.facts import MilestoneReached

PLAIN = {"accent": "", "sender_name": "", "sender": "", "logo": None, "drop_logo": True}


@pytest.fixture(autouse=True)
def plain():
    """The look belongs to the whole installation: it is put back, other tests share it."""
    cast.operator()
    yield
    brand_change(**PLAIN, at=clock.now(), actor="test")


def picture(fmt: str = "PNG", size: tuple[int, int] = (900, 300)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (10, 90, 60)).save(out, fmt)
    return out.getvalue()


@given(st.integers(0, 0xFFFFFF))
def test_whatever_is_chosen_text_can_be_read(value) -> None:
    chosen = f"#{value:06x}"
    assert is_colour(chosen)
    found = accents(chosen)
    for theme, grounds in ((found.day, ("#ffffff", "#f6f8fa")), (found.night, ("#0a1119", "#101a25"))):
        assert all(contrast(theme.accent, ground) >= 4.5 for ground in (*grounds, theme.soft))
        assert contrast(theme.on, theme.accent) >= 4.5
        assert contrast(theme.on, theme.strong) >= 4.5
        assert contrast(theme.strong, grounds[1]) >= 4.5


def test_contrast_is_the_one_of_the_guidelines() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54


def test_an_administrator_sets_it_and_every_page_shows_it() -> None:
    admin = client_of(cast.person(OPERATOR_ID, Role.ADMIN))
    logo = SimpleUploadedFile("logo.png", picture(), "image/png")
    answer = admin.post("/ops/settings/brand", {
        "accent": "#FFDD00", "logo": logo, "sender_name": "Meridian Tracking", "sender": "track@meridian.example",
    }, follow=True)  # fmt: skip
    assert "too pale to read" in unescape(answer.content.decode())
    page = Client().get("/accounts/login/").content.decode()
    sheet = re.search(r'href="(/brand/[0-9a-f]+\.css)"', page)[1]
    found = Client().get(sheet)
    assert "--accent: light-dark(#" in found.content.decode()
    assert "immutable" in found["Cache-Control"]
    shown = Client().get(re.search(r'src="(/brand/[0-9a-f]+\.png)"', page)[1])
    with Image.open(io.BytesIO(shown.content)) as kept:
        assert (kept.format, kept.width <= 640, kept.height <= 128) == ("PNG", True, True)
    assert "track@meridian.example" in answer.content.decode()
    with as_tenant(OPERATOR_ID):
        audit = AuditEntry.objects.filter(action="brand.changed").order_by("-pk").first()
        assert audit.details["sender"] == ["", "track@meridian.example"]
    brand_change(**PLAIN, at=clock.now(), actor="test")
    assert Client().get(sheet).status_code == 404


@pytest.mark.parametrize(("field", "value", "said"), [
    ("accent", "red", "written like"), ("sender", "nobody", "email"), ("sender_name", "a\u2028b", "one line"),
    ("logo", SimpleUploadedFile("x.svg", b"<svg onload='alert(1)'/>", "image/svg+xml"), "no picture"),
    ("logo", SimpleUploadedFile("x.png", b"\x89PNG\r\n\x1a\n" + b"0" * 40, "image/png"), "no picture"),
    ("logo", SimpleUploadedFile("x.png", b"0" * 1_000_001, "image/png"), "1 MB"),
])  # fmt: skip
def test_what_cannot_be_is_said_at_its_field(field, value, said) -> None:
    admin = client_of(cast.person(OPERATOR_ID, Role.ADMIN))
    answer = admin.post("/ops/settings/brand", {field: value})
    assert answer.status_code == 422
    assert said in unescape(answer.content.decode())
    assert look().logo == ""
    assert look().accent == ""


def test_a_bomb_of_pixels_is_refused() -> None:
    with pytest.raises(LogoRefused, match="million"):
        logo_anew(picture(size=(8_000, 8_000)))


def test_mails_come_from_the_operator_in_its_colour() -> None:
    brand_change(accent="#7a1f5c", sender_name="Meridian, Tracking", sender="track@meridian.example", logo=None,
                 drop_logo=False, at=clock.now(), actor="test")  # fmt: skip
    found = look()
    reader = Reader(brand=found.name, ink=found.ink, account="Acme", name="Ana", language="en", unsubscribe_token="t")
    notice = notice_render(MilestoneReached.example(), reader)
    assert "#7a1f5c" in notice.html
    mail = Mail(message_id="<1@x>", recipient="a@example.com", subject=notice.subject, text=notice.text,
                html=notice.html, unsubscribe_url="", sender=found.mail_from)  # fmt: skip
    read = BytesParser(policy=policy.default).parsebytes(mail_bytes(mail, at=clock.now()))
    sender = read["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == ("Meridian, Tracking", "track@meridian.example")
