"""Writes of tracking, by what they concern. Messages are applied by ingest; state is derived by derivation.py."""

from tracking.services.places import (
    places_load,
)
from tracking.services.polling import (
    PollSpec,
    poll_pause,
    poll_planned,
    poll_save,
)
from tracking.services.quarantine import (
    AlreadyDecided,
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
    "PollSpec",
    "ShipmentSpec",
    "SourceExists",
    "UnknownPlace",
    "commitment_change",
    "dcsa_secret",
    "places_load",
    "poll_pause",
    "poll_planned",
    "poll_save",
    "quarantine_discard",
    "quarantine_replay",
    "shipment_register",
    "shipments_register",
    "source_create",
    "source_secret_rotate",
    "source_setting_set",
    "waiting_match",
]
