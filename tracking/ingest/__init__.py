"""The way of a message: raw bytes first, then parse, match, store, derive, and say what changed (G1 to G6, G12).

Doors are elsewhere. receive.py stores, process.py applies, run.py and tenant_run.py are what applying means,
rehearsal.py says what it would.
"""

from tracking.ingest.items import Item
from tracking.ingest.process import HISTORY, message_finish, message_process, own_tenant, quarantined_apply
from tracking.ingest.receive import IdempotencyConflict, message_receive
from tracking.ingest.rehearsal import Met, Trial, message_rehearse
from tracking.ingest.run import Run

__all__ = [
    "HISTORY",
    "IdempotencyConflict",
    "Item",
    "Met",
    "Run",
    "Trial",
    "message_finish",
    "message_process",
    "message_receive",
    "message_rehearse",
    "own_tenant",
    "quarantined_apply",
]
