"""The registries as families: nothing is declared without its examples, words and defaults.

What each declaration does is tested beside it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.template.loader import get_template

from kpis.registry import CLOSED, KPIS
from kpis.types import Kpi
from portal.lib.facts import Audience, Fact, all_facts
from portal.notify.notices import template_name
from portal.outbox import handlers
from tests.servers import ROOT
from tiers.promises.registry import ENTITLEMENTS
from tiers.promises.types import Switch, Tier
from tracking.reasons import QUARANTINE, WARNINGS, WHOLE_MESSAGE, Reason, sentence
from tracking.registry import ADAPTERS
from tracking.types import Adapter

GOLDEN = ROOT / "tests" / "golden"
FACTS = list(all_facts().values())
# the worked examples that prove each KPI's judgement, by the kind they have in cases.json
KPI_CASES = {
    "OTD": "otd_set",
    "COMPLETENESS": "completeness_set",
    "ETA": "eta_set",
    "DWELL": "dwell_stats",
    "EXCEPTION": "exception_set",
}


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.key)
def test_a_fact_has_an_example_that_survives_its_journey(fact: type[Fact]) -> None:
    example = fact.example()
    plain = json.loads(json.dumps(example.plain()))
    assert fact.read(plain) == example
    assert example.object_key
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", fact.key)
    assert (fact.__doc__ or "").strip(), "says what happened"


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.key)
def test_whoever_is_told_has_words(fact: type[Fact]) -> None:
    if fact.audience not in (Audience.NOBODY, Audience.SYSTEMS):
        get_template(template_name(fact.key))
    if fact.audience == Audience.PERSON:
        assert "email" in fact.example().plain()


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.key)
def test_a_fact_asks_for_an_entitlement_that_exists(fact: type[Fact]) -> None:
    assert fact.entitlement is None or fact.entitlement in ENTITLEMENTS


def test_every_notice_belongs_to_a_fact() -> None:
    folder = ROOT / "portal" / "notify" / "templates" / "notices"
    assert {p.stem for p in folder.glob("[a-z]*.html")} - set(all_facts()) == set()


@pytest.mark.parametrize("kpi", list(KPIS), ids=lambda k: k.key)
def test_a_kpi_has_golden_cases(kpi: Kpi) -> None:
    cases: list[dict[str, Any]] = json.loads((GOLDEN / "domain" / "cases.json").read_text("utf-8"))["cases"]
    assert [case for case in cases if case["kind"] == KPI_CASES[kpi.key]]
    assert re.fullmatch(r"\d+\.\d+\.\d+", kpi.version)
    assert str(kpi.says).endswith(".")


def test_what_a_month_publishes_is_declared() -> None:
    assert set(CLOSED) <= set(KPIS.keys())


@pytest.mark.parametrize("switch", list(ENTITLEMENTS), ids=lambda s: s.key)
def test_an_entitlement_has_a_default_for_each_tier(switch: Switch) -> None:
    assert set(switch.default) == set(Tier)
    ordered = [switch.default[tier] for tier in Tier]
    assert ordered == sorted(ordered), "a higher tier includes what a lower one has"
    assert str(switch.label)
    assert str(switch.says).endswith(".")


@pytest.mark.parametrize("adapter", list(ADAPTERS), ids=lambda a: a.key)
def test_an_adapter_has_golden_messages(adapter: Adapter) -> None:
    """In the folder of its key, or among those of its syntax; at least one must look like its own (to our own pages'
    reader nothing does).
    """
    folder = GOLDEN / adapter.key
    listed = folder.iterdir() if folder.is_dir() or adapter.is_own else GOLDEN.glob("*/*")
    messages = [p for p in listed if p.is_file() and not p.name.endswith((".expected.json", ".md"))]
    own = [p for p in messages if adapter.is_own or adapter.recognises(p.read_bytes())]
    assert own, f"put raw messages into {folder.relative_to(ROOT)}"


@pytest.mark.parametrize("adapter", list(ADAPTERS), ids=lambda a: a.key)
def test_an_adapter_survives_anything(adapter: Adapter) -> None:
    """Whatever comes, an adapter answers or says that the whole is unreadable; it never falls over."""
    from tracking.types import Unreadable

    for raw in (b"", b"\0", b"{", b"[]", b"\xff\xfe", b"null", b"UNA:+.? '", b"ISA*", b"a,b\n1", b"{}" * 1000):
        adapter.recognises(raw)
        said = ""
        try:
            adapter.parse(raw, content_type=None)
        except Unreadable as unreadable:
            said = unreadable.code
        assert not said or Reason(said) in WHOLE_MESSAGE


@pytest.mark.parametrize("reason", list(Reason), ids=str)
def test_a_reason_has_a_sentence_and_one_consequence(reason: Reason) -> None:
    assert str(sentence(reason)).endswith(".")
    assert len(reason.value) <= 40
    assert sum(reason in group for group in (WHOLE_MESSAGE, QUARANTINE, WARNINGS)) == 1


def test_work_has_one_handler_each_and_a_speaking_name() -> None:
    names = [*handlers.handler_names(), *(check.name for check in handlers.due_checks())]
    assert names
    assert [name for name in names if not re.fullmatch(r"[a-z_]+\.[a-z_]+", name)] == []
