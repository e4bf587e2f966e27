"""X12 214: the haulier's status.

Declared here, read in x12_messages, which reads every transaction of a mixed file by its own type.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tracking import x12_messages
from tracking.types import Adapter

TYPE = "214"


def recognises(raw: bytes) -> bool:
    """Whether the first transaction of the file is a 214."""
    return x12_messages.recognises(raw, TYPE)


X12_214 = Adapter(
    key="x12_214",
    label=_("X12 214 (haulier status)"),
    parse=x12_messages.parse,
    recognises=recognises,
    content_types=("application/edi-x12",),
)
