"""The way of a message: raw bytes first, then parse, match, store, derive, and say what changed (G1 to G6, G12).

Doors are elsewhere. receive.py stores, process.py applies, run.py and tenant_run.py are what applying means.
"""

from tracking.ingest.channels import CORRECTION, HISTORY
from tracking.ingest.items import Item
from tracking.ingest.process import message_finish, message_process, own_tenant, quarantined_apply
from tracking.ingest.receive import IdempotencyConflict, message_receive
from tracking.ingest.run import Run

__all__ = [
    "CORRECTION",
    "HISTORY",
    "IdempotencyConflict",
    "Item",
    "Run",
    "message_finish",
    "message_process",
    "message_receive",
    "own_tenant",
    "quarantined_apply",
]
