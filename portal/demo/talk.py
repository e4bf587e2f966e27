"""What hangs on the demo's newest shipments: documents, comments of both sides and an internal note, free days.

Put there at the end of the world's history by the services that the pages use.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from portal.demo.settling import Settled
from portal.tenancy.context import as_tenant
from tracking.freetime import FreeKind, Term
from tracking.models import Shipment
from tracking.papers import LABELS, PaperKind
from tracking.services import comment_post, document_add, free_term_set

OLGA, MAX, GUS = "olga.ops@meridian.example", "max@acme.example", "gus@globex.example"
_K: Final = PaperKind
_PORTS: Final = ("NLRTM", "DEHAM", "GBFXT")
_FREE: Final = ((FreeKind.DEMURRAGE, 5, False), (FreeKind.DETENTION, 7, True))
_ACCOUNTS: Final = (("ACME", MAX), ("GLOBEX", GUS))
_SHIPMENTS: Final = 4  # of each account


def talk_seed(settled: Settled, at: datetime) -> None:
    """For the accounts that see everything; the same every time."""
    for account, customer in _ACCOUNTS:
        with as_tenant(settled.tenants[account]):
            for port in _PORTS:
                for kind, days, working in _FREE:
                    term = Term(kind=kind, place=port, free_days=days, working_days=working,
                                first_day=(at - timedelta(days=30)).date())  # fmt: skip
                    free_term_set(term=term, by=settled.members[OLGA].label, at=at)
            under_way = Shipment.objects.filter(status="UNDER_WAY").order_by("due_at", "pk")[:_SHIPMENTS]
            for number, ship in enumerate(under_way):
                _hang(settled, ship, customer, number, at)


def _hang(settled: Settled, ship: Shipment, customer: str, number: int, at: datetime) -> None:
    """Each shipment a little less complete than the one before."""
    olga, client = settled.members[OLGA], settled.members[customer]
    kinds = (_K.COMMERCIAL_INVOICE, _K.PACKING_LIST, _K.BILL_OF_LADING)[: max(1, 3 - number)]
    for kind in kinds:
        by = olga if kind == _K.BILL_OF_LADING else client
        title = f"{LABELS[kind]} {ship.ref}"
        document_add(shipment=ship, kind=kind, name=title, body=_pdf(title), by=by, at=at - timedelta(days=9 - number))
    if number > 1:
        return
    document_add(shipment=ship, kind=_K.ARRIVAL_NOTICE, name="Purchase rates", body=_pdf("Rates of the line"), by=olga,
                 at=at - timedelta(days=2), is_internal=True)  # fmt: skip
    said = (
        (client, "Can this one be delivered on a Friday? The warehouse is closed on Mondays.", False),
        (olga, f"@{client.name} yes: the haulier keeps Friday at ten for you.", False),
        (olga, "The line has not confirmed the terminal yet. Ask again tomorrow.", True),
    )
    for n, (by, text, internal) in enumerate(said):
        comment_post(shipment=ship, text=text, by=by, is_internal=internal, at=at - timedelta(hours=30 - 9 * n))


def _pdf(line: str) -> bytes:
    """One page with one line of plain letters."""
    text = line.replace("\\", " ").replace("(", " ").replace(")", " ")
    drawn = f"BT /F1 18 Tf 72 770 Td ({text}) Tj ET".encode("ascii", "replace")
    parts = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    body, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + table + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(body)
