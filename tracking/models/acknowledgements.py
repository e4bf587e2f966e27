"""Interchanges that partners sent, and what we told them back (G8); append-only."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field
from tracking.models.messages import InboundMessage
from tracking.models.sources import AcknowledgementKind, Source


class Interchange(TenantOwned):
    """A reference under which a partner sent an interchange, and the message that it came in first."""

    append_only = True

    source = TenantForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    syntax = code_field(8)  # EDIFACT, X12
    sender = code_field(80)  # with its qualifier
    reference = code_field(40)
    message = TenantForeignKey(InboundMessage, on_delete=models.PROTECT, related_name="+")
    digest = code_field(64)  # of what it held: the same reference with other contents is a fault of the sender

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "source", "syntax", "sender", "reference"], name="interchange_once"
            ),
        ]


class Acknowledgement(TenantOwned):
    """What a partner is told about one interchange of a message, as it is sent."""

    append_only = True

    source = TenantForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    message = TenantForeignKey(InboundMessage, on_delete=models.PROTECT, related_name="acknowledgements")
    kind = code_field(8, choices=[k for k in AcknowledgementKind.choices if k[0]])
    place = models.PositiveSmallIntegerField()  # of its interchange in the message
    number = models.BigIntegerField()  # its own control number, counted for each source
    is_refused = models.BooleanField()  # it says that something was not accepted
    body = models.BinaryField()
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "message", "place"], name="acknowledgement_once"),
            models.UniqueConstraint(fields=["tenant", "source", "number"], name="acknowledgement_number_once"),
        ]
