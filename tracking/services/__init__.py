"""Writes of tracking, by what they concern. Messages are applied by ingest; state is derived by derivation.py."""

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
from tracking.services.uploads import (
    AlreadyImported,
    UploadRefused,
    upload_begin,
    upload_correct,
    upload_discard,
    upload_import,
    upload_mapping_set,
    upload_sheet_set,
    upload_table,
    uploads_forget,
)

__all__ = [
    "AlreadyDecided",
    "AlreadyImported",
    "NoCommitment",
    "ShipmentSpec",
    "SourceExists",
    "UnknownPlace",
    "UploadRefused",
    "commitment_change",
    "dcsa_secret",
    "places_load",
    "quarantine_discard",
    "quarantine_replay",
    "shipment_register",
    "shipments_register",
    "source_create",
    "source_secret_rotate",
    "source_setting_set",
    "upload_begin",
    "upload_correct",
    "upload_discard",
    "upload_import",
    "upload_mapping_set",
    "upload_sheet_set",
    "upload_table",
    "uploads_forget",
    "waiting_match",
]
