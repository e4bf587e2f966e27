"""A notice has words for everybody whom a fact concerns: subject and text are plain, HTML is whole."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.conf import settings
from django.template.loader import get_template
from django.test import override_settings
from django.utils import translation

from portal.lib import seal
from portal.lib.facts import Audience, Fact, all_facts
from portal.notify.notices import Part, Reader, digest_render, notice_render, template_name
from portal.notify.wording import kind_label
from portal.notify.writing import language_of
from portal.tenancy.models import Member

TOLD = [kind for kind in all_facts().values() if kind.audience not in (Audience.NOBODY, Audience.SYSTEMS)]
READER = Reader(brand="Meridian & Sons", account="Acme <Trading>", name="Ana", language="en", unsubscribe_token="t0ken")


@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: kind.key)
def test_says_what_its_fact_says(kind: type[Fact]) -> None:
    get_template(template_name(kind.key))
    fact = kind.read(kind.example().plain())  # as it comes back from the outbox
    notice = notice_render(fact, READER)
    assert 8 < len(notice.subject) <= 120
    assert "\n" not in notice.subject
    for plain in (notice.subject, notice.text):
        assert not re.search(r"<[a-z/]|&amp;|&lt;|\{\{|%}", plain)
    assert "Meridian & Sons" in notice.text
    assert "Meridian &amp; Sons" in notice.html
    assert "<style" not in notice.html  # written into the elements
    assert 'style="' in notice.html
    sealed = getattr(fact, "link", "")
    link = seal.unseal(sealed) if sealed else settings.PUBLIC_URL + getattr(fact, "path", "/")
    assert link in notice.text
    assert link in notice.html
    assert not sealed or sealed not in notice.text + notice.html


@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: kind.key)
def test_names_its_object_once(kind: type[Fact]) -> None:
    fact = kind.example()
    assert fact.object_key
    assert fact.object_key == kind.read(fact.plain()).object_key


def test_every_kind_one_can_choose_about_has_a_name() -> None:
    unnamed = [k.key for k in TOLD if k.audience != Audience.PERSON and kind_label(k.key)[0] == k.key]
    assert unnamed == []


def test_escapes_what_others_wrote() -> None:
    from tracking.facts import MilestoneReached

    fact = replace(MilestoneReached.example(), reference="<script>alert(1)</script>", path="//evil.example/x")
    notice = notice_render(fact, READER)
    assert "<script" not in notice.html
    assert "<script>alert(1)</script>" in notice.subject  # a subject is not HTML
    assert "http://localhost:8000//evil.example" in notice.text or "evil" not in notice.text


@pytest.mark.req("O9")
def test_a_mail_is_written_in_its_readers_language() -> None:
    ana = Member(name="Ana")
    with override_settings(LANGUAGES=[("en", "English"), ("de", "Deutsch")]):
        for language, written in (("de", "de"), ("", "en"), ("xx", "en")):
            ana.language = language
            assert language_of(ana) == written
        assert language_of(None) == "en"
        lines = [("Vessel arrived, NLRTM", "12 Mar 2026 07:40 CET")]
        parts = [Part(reference="MRD-1", link="https://portal.example.com/shipments/1", lines=lines)]
        notice = digest_render(parts, replace(READER, language="de"), quiet=False, count=9, for_staff=False)
    assert '<html lang="de">' in notice.html
    assert "9" in notice.subject
    assert "MRD-1\n- Vessel arrived, NLRTM (12 Mar 2026 07:40 CET)\nhttps://" in notice.text
    assert translation.get_language() == "en"
