"""`canonical --source` and `describe adapters --source`: how one source is read, on the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.cast import START
from tests.tracking.messages import box, equipment, source
from tracking import services
from tracking.models import InboundMessage, Source
from tracking.services import CodeLine


def printed(*words: str) -> list[dict[str, Any]]:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def line(src: Source, **told: Any) -> None:
    with as_tenant(src.tenant_id):
        services.partner_code_set(key=src.key, line=CodeLine(**told), at=START, actor="test")


@pytest.mark.req("R1.6")
def test_a_file_is_read_as_its_source_means_it_and_nothing_is_stored(acme, tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text(json.dumps([
        equipment("GTIN", box(), "2026-03-01T10:00:00+08:00"),
        equipment("GATE", box(), "2026-03-01T10:00:00"),
    ]))  # fmt: skip
    plain, own, theirs = source(), source(), source(tenant_id=acme.pk)
    for src in (own, theirs):
        line(src, listed="dcsa", code="GATE", event_code="GTOT")
        line(src, listed="dcsa", code="GTIN", is_ignored=True)
    with as_tenant(OPERATOR_ID):
        services.source_update(
            key=own.key, changes={"zone_rule": "FIXED", "zone": "Asia/Tokyo"}, at=START, actor="test"
        )
    assert [one.get("code") or one["refused"] for one in printed("canonical", str(file))] == ["GTIN", "unknown_code"]
    standard = printed("canonical", "--source", plain.key, str(file))
    assert [one.get("code") or one["refused"] for one in standard] == ["GTIN", "unknown_code"]
    for src, time in ((own, "2026-03-01T01:00:00Z"), (theirs, "2026-03-01T02:00:00Z")):
        ignored, gate = printed("canonical", "--source", src.key, str(file))
        assert ignored["refused"] == "not_tracked"
        assert (gate["message"], gate["code"], gate["time"]) == ("dcsa", "GTOT", time)
    with as_tenant(OPERATOR_ID):
        assert not InboundMessage.objects.filter(source__in=[plain, own]).exists()


def test_a_source_is_described_with_every_code_of_its_own() -> None:
    src = source(format="x12_315")
    line(src, listed="x12_315", code="VA", kind="TRANSPORT", event_code="ARRI", classifier="EST")
    read, code = printed("describe", "adapters", "--source", src.key, "--json")
    assert (read["key"], read["format"]) == (src.key, "x12_315")
    assert (code["key"], code["event_code"], code["classifier"]) == ("x12_315 VA", "ARRI", "EST")
    assert {"dcsa", "csv"} <= {entry["key"] for entry in printed("describe", "adapters", "--json")}


@pytest.mark.parametrize("words", [["canonical", "--source", "nobody", __file__],
                                   ["describe", "adapters", "--source", "nobody"],
                                   ["describe", "kpis", "--source", "nobody"]])  # fmt: skip
def test_an_unknown_source_ends_with_2_and_a_sentence(words: list[str]) -> None:
    err = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command(*words, stderr=err)
    assert end.value.code == 2
    assert "nobody" in err.getvalue() or "adapters only" in err.getvalue()
