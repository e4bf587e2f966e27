"""X12 322: the railway's and terminal's status.

Declared here, read in x12_messages, which reads every transaction of a mixed file by its own type.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tracking import x12_messages
from tracking.types import Adapter

TYPE = "322"


def recognises(raw: bytes) -> bool:
    """Whether the first transaction of the file is a 322."""
    return x12_messages.recognises(raw, TYPE)


X12_322 = Adapter(
    key="x12_322",
    label=_("X12 322 (rail and terminal status)"),
    parse=x12_messages.parse,
    recognises=recognises,
    content_types=("application/edi-x12",),
)
