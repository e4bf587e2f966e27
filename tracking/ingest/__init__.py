"""The way of a message: raw bytes first, then parse, match, store, derive, and say what changed (G1 to G6, G12).

Doors are elsewhere. receive.py stores, process.py applies, run.py and tenant_run.py are what applying means,
trial.py says what it would do.
"""

from tracking.ingest.items import Item
from tracking.ingest.pressure import TooLittleRoom, TooMuchWaiting, room_or_refuse
from tracking.ingest.process import HISTORY, message_finish, message_process, own_tenant, quarantined_apply
from tracking.ingest.receive import IdempotencyConflict, message_receive
from tracking.ingest.run import Run
from tracking.ingest.trial import Meant, Trial, Tried, message_try

__all__ = [
    "HISTORY",
    "IdempotencyConflict",
    "Item",
    "Meant",
    "Run",
    "TooLittleRoom",
    "TooMuchWaiting",
    "Trial",
    "Tried",
    "message_finish",
    "message_process",
    "message_receive",
    "message_try",
    "own_tenant",
    "quarantined_apply",
    "room_or_refuse",
]
