"""Writes of tracking, by what they concern. Messages are applied by ingest; state is derived by derivation.py."""

from tracking.services.derivation import derivation_mend
from tracking.services.entries import (
    MANUAL_KEY,
    Entry,
    EntryRefused,
    EvidenceRefused,
    NotByHand,
    entry_record,
    entry_withdraw,
    evidence_store,
)
from tracking.services.places import (
    AliasOfAlias,
    UnknownAliasTarget,
    UnknownZone,
    carrier_set,
    place_set,
    places_load,
    terminal_set,
    vessel_set,
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
    "MANUAL_KEY",
    "AliasOfAlias",
    "AlreadyDecided",
    "Entry",
    "EntryRefused",
    "EvidenceRefused",
    "LclToCy",
    "NoCommitment",
    "NotByHand",
    "ShipmentSpec",
    "SourceExists",
    "UnknownAliasTarget",
    "UnknownPlace",
    "UnknownZone",
    "carrier_set",
    "commitment_change",
    "dcsa_secret",
    "derivation_mend",
    "entry_record",
    "entry_withdraw",
    "evidence_store",
    "place_set",
    "places_load",
    "quarantine_discard",
    "quarantine_replay",
    "shipment_register",
    "shipments_register",
    "source_create",
    "source_secret_rotate",
    "source_setting_set",
    "terminal_set",
    "vessel_set",
    "waiting_match",
]
