"""Writes of tracking, by what they concern. Messages are applied by ingest; state is derived by derivation.py."""

from tracking.services.derivation import derivation_mend
from tracking.services.places import (
    places_load,
)
from tracking.services.quarantine import (
    AlreadyDecided,
    quarantine_discard,
    quarantine_replay,
    waiting_match,
)
from tracking.services.shipments import (
    LclToCy,
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
    "LclToCy",
    "NoCommitment",
    "ShipmentSpec",
    "SourceExists",
    "UnknownPlace",
    "commitment_change",
    "dcsa_secret",
    "derivation_mend",
    "places_load",
    "quarantine_discard",
    "quarantine_replay",
    "shipment_register",
    "shipments_register",
    "source_create",
    "source_secret_rotate",
    "source_setting_set",
    "waiting_match",
]
