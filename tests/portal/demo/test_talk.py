"""What hangs on the demo's newest shipments can be read by both sides, and is no different the second time."""

from __future__ import annotations

import re

from portal.demo.settling import Settled
from portal.demo.talk import GUS, MAX, OLGA, talk_seed
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import source
from tests.tracking.pages import NOW, journey, tiered
from tracking.models import Comment, Document, DocumentFile, FreeTerm


def test_documents_comments_and_free_days_hang_on_what_is_under_way(acme, globex) -> None:
    line = source()
    for account in (acme, globex):
        journey(tiered(account, "PRIORITY"), line)
    olga = cast.person(OPERATOR_ID, Role.OPS, name="Olga Visser")
    settled = Settled(
        tenants={"ACME": acme.pk, "GLOBEX": globex.pk}, members={OLGA: olga, MAX: acme.member, GUS: globex.member}
    )
    talk_seed(settled, NOW)
    for account in (acme, globex):
        with as_tenant(account.pk):
            assert FreeTerm.objects.count() == 6
            assert list(Comment.objects.order_by("pk").values_list("is_internal", flat=True)) == [False, False, True]
            (bill,) = Document.objects.filter(kind="BILL_OF_LADING").select_related("shipment")
            body = bytes(DocumentFile.objects.get(document=bill).body)
        at = int(re.search(rb"startxref\n(\d+)", body).group(1))
        assert body[at:].startswith(b"xref") and body.endswith(b"%%EOF\n")
        page = client_of(account.member).get(f"/shipments/{bill.shipment.public_id}").content.decode()
        assert "keeps Friday at ten" in page and "has not confirmed" not in page and "Purchase rates" not in page
