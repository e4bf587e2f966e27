"""Writes of tracking, by what they concern. Messages are applied by ingest; state is derived by derivation.py."""

from tracking.services.partner_files import (
    BadLines,
    Imported,
    partner_codes_import,
    partner_codes_rows,
)
from tracking.services.partners import (
    CodeLine,
    Refused,
    TooManySourceKeys,
    line_of,
    partner_code_remove,
    partner_code_set,
    source_close,
    source_key_issue,
    source_key_revoke,
    source_open,
    source_rank_override,
    source_update,
    valid_keys,
)
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

__all__ = [
    "AlreadyDecided",
    "BadLines",
    "CodeLine",
    "Imported",
    "NoCommitment",
    "Refused",
    "ShipmentSpec",
    "SourceExists",
    "TooManySourceKeys",
    "UnknownPlace",
    "commitment_change",
    "dcsa_secret",
    "line_of",
    "partner_code_remove",
    "partner_code_set",
    "partner_codes_import",
    "partner_codes_rows",
    "places_load",
    "quarantine_discard",
    "quarantine_replay",
    "shipment_register",
    "shipments_register",
    "source_close",
    "source_create",
    "source_key_issue",
    "source_key_revoke",
    "source_open",
    "source_rank_override",
    "source_secret_rotate",
    "source_setting_set",
    "source_update",
    "valid_keys",
    "waiting_match",
]
