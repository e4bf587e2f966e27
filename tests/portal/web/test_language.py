"""Who reads what in which language: people in theirs, machines in English; and mails as their reader chose."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.utils.translation import override

from portal.lib.facts import Audience, all_facts
from portal.notify.notices import Reader, notice_render
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Member
from portal.web.retelling import amount_word, retold
from portal.web.templatetags.ui import money, percent, time_at
from tests import cast
from tests.apiworld import key_of
from tests.doors import client_of
from tests.tracking.pages import many, tiered

SIGN_IN, CHOOSE = "/accounts/login/", "/accounts/language/"
WORD = {"en": "Sign in", "de": "Anmelden", "zh-hans": "登录"}
WHEN = re.compile(r'"(correlation_id|errorDateTime)": ?"[^"]*"')
TOLD = [kind for kind in all_facts().values() if kind.audience not in (Audience.NOBODY, Audience.SYSTEMS)]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A request leaves its language behind in its thread."""
    with override("en"):
        yield


def spoken(answer) -> str:
    """The language of a page, which its head, its html element and its words agree on."""
    html = answer.content.decode()
    code = answer.headers["Content-Language"]
    assert f'<html lang="{code}"' in html
    assert {"Accept-Language", "Cookie"} <= {v.strip() for v in answer.headers["Vary"].split(",")}
    return code


@pytest.mark.parametrize(
    ("asked", "code"),
    [("", "en"), ("de-CH,de;q=0.9,en;q=0.5", "de"), ("zh-CN,zh;q=0.9", "zh-hans"), ("fr,nl;q=0.8", "en")],
)
def test_a_visitor_is_answered_as_the_browser_asks(asked: str, code: str) -> None:
    answer = client_of(None).get(SIGN_IN, headers={"accept-language": asked})
    assert spoken(answer) == code
    assert f">{WORD[code]}<" in answer.content.decode()
    for own in ("English", "Deutsch", "简体中文"):  # each language in its own words
        assert f">{own}<" in answer.content.decode()


def test_a_visitors_choice_goes_before_the_browser_and_is_kept_in_a_cookie() -> None:
    client = client_of(None)
    back = client.post(CHOOSE, {"language": "de", "next": f"{SIGN_IN}?next=/shipments"})
    assert back["Location"] == f"{SIGN_IN}?next=/shipments"
    cookie = back.cookies[settings.LANGUAGE_COOKIE_NAME]
    assert (cookie.value, cookie["samesite"], bool(cookie["httponly"])) == ("de", "Lax", True)
    assert spoken(client.get(SIGN_IN, headers={"accept-language": "zh-CN"})) == "de"
    assert spoken(client.get("/nowhere")) == "de"  # refusals, too
    client.post(CHOOSE, {"language": "", "next": SIGN_IN})
    assert spoken(client.get(SIGN_IN, headers={"accept-language": "zh-CN"})) == "zh-hans"


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_choosing_a_language_leads_nowhere_else(back: str) -> None:
    assert client_of(None).post(CHOOSE, {"language": "de", "next": back})["Location"] == "/"


@pytest.mark.parametrize("code", ["fr", "DE", "zh", "../en", "de\0"])
def test_what_is_no_language_of_ours_is_refused(code: str) -> None:
    answer = client_of(None).post(CHOOSE, {"language": code})
    assert answer.status_code == 400
    assert settings.LANGUAGE_COOKIE_NAME not in answer.cookies


def test_a_persons_own_language_is_kept_with_the_person(acme) -> None:
    here = client_of(acme.member)
    assert here.post(CHOOSE, {"language": "zh-hans", "next": "/accounts/security/", "own": "1"}).status_code == 302
    with as_tenant(acme.pk):
        assert Member.objects.get(pk=acme.member.pk).language == "zh-hans"
    elsewhere = client_of(acme.member)  # another browser, which asks for German
    page = elsewhere.get("/accounts/security/", headers={"accept-language": "de"})
    assert spoken(page) == "zh-hans"
    assert 'value="zh-hans" lang="zh-hans" selected' in page.content.decode()
    assert spoken(client_of(acme.manager).get("/", headers={"accept-language": "de"})) == "de"  # nobody else's
    elsewhere.post(CHOOSE, {"language": ""})
    assert spoken(elsewhere.get("/accounts/security/", headers={"accept-language": "de"})) == "de"


def test_machines_are_answered_in_english_whoever_asks(acme) -> None:
    many(tiered(acme, "PRIORITY"), 3)
    system = client_of(None, key=key_of(acme))
    with as_tenant(acme.pk):
        Member.objects.filter(pk=acme.member.pk).update(language="de")
    for client in (system, client_of(acme.member), client_of(None)):
        for path in (
            "/api/v1/shipments?nonsense=1",
            "/api/v1/shipments/none",
            "/api/v1/nowhere",
            "/dcsa/tnt/v2/events",
        ):
            plain, asked = client.get(path), client.get(path, headers={"accept-language": "de"})
            assert asked.headers["Content-Language"] == "en"
            assert WHEN.sub("", asked.content.decode()) == WHEN.sub("", plain.content.decode())
    known = client_of(acme.member).get("/api/v1/shipments?nonsense=1").json()
    assert known["detail"] == "The parameter nonsense is not known here."
    refused = client_of(acme.member).get("/nowhere", headers={"accept": "application/json"}).json()
    assert refused["detail"] == "There is nothing at this address."


def test_files_are_the_same_for_readers_of_every_language(acme) -> None:
    many(tiered(acme, "PRIORITY"), 4, undated=1)
    found = set()
    for code in ("en", "de", "zh-hans"):
        with as_tenant(acme.pk):
            Member.objects.filter(pk=acme.member.pk).update(language=code)
        answer = client_of(acme.member).get("/shipments.csv")
        text = b"".join(answer.streaming_content).decode()
        assert {"shipment", "standing", "standing_in_words"} <= set(next(csv.reader(io.StringIO(text))))
        found.add(re.sub(r"\d+ (days?|hours?)", "", text))
    assert len(found) == 1


# --- how times and numbers are written ---


@pytest.mark.parametrize(
    ("code", "time", "amount", "share"),
    [
        ("en", "12 Mar 2026 14:05 CET", "4,217.50", "96.96"),
        ("de", "12. Mär 2026 14:05 CET", "4.217,50", "96,96"),
        ("zh-hans", "2026年3月12日 14:05 CET", "4217.50", "96.96"),
    ],
)
def test_times_and_numbers_are_written_as_the_reader_does(code: str, time: str, amount: str, share: str) -> None:
    with override(code):
        shown = time_at(datetime(2026, 3, 12, 13, 5, tzinfo=UTC), "Europe/Amsterdam")
        assert f">{time}<" in shown
        assert 'datetime="2026-03-12T13:05:00Z"' in shown  # for programs
        assert f"{amount}\u00a0EUR" in money("4217.50", "EUR")
        assert share in percent("96.96")


# --- mails ---


@pytest.mark.parametrize("code", ["de", "zh-hans"])
@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: kind.key)
def test_a_mail_is_whole_in_its_readers_language(kind, code: str) -> None:
    fact = kind.read(kind.example().plain())
    reader = Reader(brand="Meridian", account="Acme", name="Ana", language="en", unsubscribe_token="t0ken")
    english = notice_render(fact, reader)
    theirs = notice_render(fact, replace(reader, language=code))
    assert theirs.subject != english.subject
    kept = {line for line in english.text.splitlines() if re.search(r"[a-z]{3} [a-z]{2}", line)}
    said = {str(value) for value in fact.plain().values()}  # what a person wrote stays as it was written
    kept -= said
    assert kept & set(theirs.text.splitlines()) == set()
    assert f'<html lang="{code}">' in theirs.html
    words = {w.strip() for w in re.findall(r">([^<>{}]+)<", english.html) if re.search(r"[a-z]{3} [a-z]{2}", w)}
    words -= said
    assert words & {w.strip() for w in re.findall(r">([^<>{}]+)<", theirs.html)} == set()


@pytest.mark.parametrize(
    ("written", "german"),
    [
        ("07 Mar 2026 07:40 CET", "7. Mär 2026 07:40 CET"),
        ("12 Mar 2026", "12. Mär 2026"),
        ("1 day", "1 Tag"),
        ("14 min", "14 min"),
        ("answered 502", "antwortete 502"),
        ("a.example gave no answer: it took too long.", "a.example hat nicht geantwortet: es dauerte zu lange."),
        ("On-time delivery 96.4 % (212 of 220 units), data grade A.",
         "Termintreue 96,4 % (212 von 220 Einheiten), Datengüte A."),
        ("said by somebody else %(x)s", "said by somebody else %(x)s"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_was_written_in_english_is_said_again(written: str, german: str) -> None:
    assert retold(written) in (written, written.removeprefix("0"))
    with override("de"):
        assert retold(written) == german
        assert amount_word("1,240.00") == "1.240,00"


def test_a_mail_goes_out_in_the_language_that_its_reader_chose() -> None:
    from portal.notify.writing import language_of

    account = cast.account("TONGUES")
    assert language_of(account.member) == "en"
    account.member.language = "de"
    assert language_of(account.member) == "de"
    assert language_of(None) == "en"
