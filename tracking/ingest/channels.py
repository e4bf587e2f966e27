"""The channels that are no feed: history that is loaded, and events that a person sends again, mended."""

from __future__ import annotations

from typing import Final

HISTORY: Final = "HISTORY"  # history files: recorded when the file says, told to nobody (R1.1)
CORRECTION: Final = "CORRECTION"  # a quarantined event, mended by hand (G12)
NO_FEED: Final = frozenset({HISTORY, CORRECTION})  # that they come says nothing about the source's rhythm
