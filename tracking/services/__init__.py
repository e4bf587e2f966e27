"""Writes of tracking, by what they concern. Messages are applied by ingest; state is derived by derivation.py."""

from tracking.services.batches import (
    batch_start,
    batch_step,
)
from tracking.services.partners import (
    partner_code_set,
)
from tracking.services.places import (
    place_zone_set,
    places_load,
)
from tracking.services.quarantine import (
    AlreadyDecided,
    quarantine_correct,
    quarantine_discard,
    quarantine_replay,
    waiting_match,
)
from tracking.services.shipments import (
    NoCommitment,
    ShipmentSpec,
    UnknownPlace,
    commitment_change,
    shipment_register,
    shipments_register,
)
from tracking.services.silence import (
    silence_note,
)
from tracking.services.sources import (
    SourceExists,
    dcsa_secret,
    source_create,
    source_secret_rotate,
    source_setting_set,
)

__all__ = [
    "AlreadyDecided",
    "NoCommitment",
    "ShipmentSpec",
    "SourceExists",
    "UnknownPlace",
    "batch_start",
    "batch_step",
    "commitment_change",
    "dcsa_secret",
    "partner_code_set",
    "place_zone_set",
    "places_load",
    "quarantine_correct",
    "quarantine_discard",
    "quarantine_replay",
    "shipment_register",
    "shipments_register",
    "silence_note",
    "source_create",
    "source_secret_rotate",
    "source_setting_set",
    "waiting_match",
]
