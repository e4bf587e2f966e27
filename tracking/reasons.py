"""The closed list of reasons: why a message is refused, why an event waits, what an accepted event is warned about.

Codes and sentences only; who decides them is elsewhere (adapters, timing, ingest). A reason is never invented on the
way: what is not in this list does not exist (G5).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Reason(StrEnum):
    """A code of the closed list; at most 40 characters."""

    # the message as a whole cannot be read
    EMPTY = "empty"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TRUNCATED_JSON = "truncated_json"
    DUPLICATE_KEY = "duplicate_key"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    TOO_MANY_ITEMS = "too_many_items"
    BAD_NUMBER = "bad_number"
    WRONG_TOP_LEVEL = "wrong_top_level"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNSUPPORTED_DIALECT = "unsupported_dialect"
    TRUNCATED_MESSAGE = "truncated_message"
    BAD_ENVELOPE = "bad_envelope"
    NOT_CSV = "not_csv"
    UNKNOWN_COLUMN = "unknown_column"
    MISSING_COLUMN = "missing_column"
    DUPLICATE_COLUMN = "duplicate_column"
    BAD_SIGNATURE = "bad_signature"
    PARSER_FAILED = "parser_failed"
    NOT_XLSX = "not_xlsx"
    BAD_ARCHIVE = "bad_archive"
    TOO_MANY_CELLS = "too_many_cells"
    TOO_SLOW = "too_slow"
    NO_MAPPING = "no_mapping"
    BAD_MAPPING = "bad_mapping"
    # one event or row cannot be read
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    UNKNOWN_CODE = "unknown_code"
    NO_CLASSIFIER = "no_classifier"
    BAD_TIME = "bad_time"
    BAD_VALUE = "bad_value"
    BAD_TEXT = "bad_text"
    TOO_LONG = "too_long"
    BAD_ROW = "bad_row"
    BAD_SEGMENT = "bad_segment"
    NO_REFERENCE = "no_reference"
    MISSING_SEGMENT = "missing_segment"
    ENVELOPE_REFUSED = "envelope_refused"
    REFUSED_WITH_OTHERS = "refused_with_others"
    NOT_TRACKED = "not_tracked"
    # one event can be read but not used (yet)
    NO_ZONE = "no_zone"
    FUTURE_ACTUAL = "future_actual"
    IMPLAUSIBLE_TIME = "implausible_time"
    NO_MATCHING_SHIPMENT = "no_matching_shipment"
    NOT_AUTHORISED = "not_authorised"
    UNKNOWN_ACCOUNT = "unknown_account"
    RETRACTION_OF_OTHER_SOURCE = "retraction_of_other_source"
    RETRACTION_OF_RETRACTION = "retraction_of_retraction"
    # accepted, with a warning
    CONTAINER_CHECK_DIGIT = "container_check_digit"
    IMO_CHECK_DIGIT = "imo_check_digit"
    UNKNOWN_PLACE = "unknown_place"
    PLACE_CONFLICT = "place_conflict"
    NO_MODE = "no_mode"
    NO_LADEN = "no_laden"
    ZONE_FROM_FACILITY = "zone_from_facility"
    AMBIGUOUS_LOCAL_TIME = "ambiguous_local_time"
    SKIPPED_LOCAL_TIME = "skipped_local_time"
    OFFSET_DIFFERS_FROM_ZONE = "offset_differs_from_zone"
    FUTURE_ACT_AS_EST = "future_act_as_est"
    CONTROL_COUNT = "control_count"
    CONTROL_REFERENCE = "control_reference"
    ENVELOPE_PADDING = "envelope_padding"
    ORDER_VIOLATION = "order_violation"
    DUPLICATE_INTERCHANGE = "duplicate_interchange"
    UNKNOWN_CARRIER = "unknown_carrier"
    NO_CONTROL_TRAILER = "no_control_trailer"


_R = Reason
WHOLE_MESSAGE: Final = frozenset(
    {
        *(_R.EMPTY, _R.NOT_UTF8, _R.NOT_JSON, _R.TRUNCATED_JSON, _R.DUPLICATE_KEY, _R.TOO_DEEP, _R.TOO_LARGE),
        *(_R.TOO_MANY_ITEMS, _R.BAD_NUMBER, _R.WRONG_TOP_LEVEL, _R.UNSUPPORTED_FORMAT, _R.UNSUPPORTED_DIALECT),
        *(_R.TRUNCATED_MESSAGE, _R.BAD_ENVELOPE, _R.NOT_CSV, _R.UNKNOWN_COLUMN, _R.MISSING_COLUMN),
        *(_R.DUPLICATE_COLUMN, _R.BAD_SIGNATURE, _R.PARSER_FAILED, _R.NOT_XLSX, _R.BAD_ARCHIVE, _R.TOO_MANY_CELLS),
        *(_R.TOO_SLOW, _R.NO_MAPPING, _R.BAD_MAPPING),
    }
)
WARNINGS: Final = frozenset(
    {
        *(_R.CONTAINER_CHECK_DIGIT, _R.IMO_CHECK_DIGIT, _R.UNKNOWN_PLACE, _R.PLACE_CONFLICT, _R.NO_MODE, _R.NO_LADEN),
        *(_R.ZONE_FROM_FACILITY, _R.AMBIGUOUS_LOCAL_TIME, _R.SKIPPED_LOCAL_TIME),
        *(_R.OFFSET_DIFFERS_FROM_ZONE, _R.FUTURE_ACT_AS_EST, _R.CONTROL_COUNT, _R.CONTROL_REFERENCE),
        *(_R.ENVELOPE_PADDING, _R.ORDER_VIOLATION, _R.DUPLICATE_INTERCHANGE, _R.UNKNOWN_CARRIER, _R.NO_CONTROL_TRAILER),
    }
)
QUARANTINE: Final = frozenset(Reason) - WHOLE_MESSAGE - WARNINGS  # one event or row, kept with its bytes

_SENTENCES: Final[Mapping[Reason, Promise]] = {
    _R.EMPTY: _("The message is empty."),
    _R.NOT_UTF8: _("The message is not UTF-8 text."),
    _R.NOT_JSON: _("The message is not valid JSON."),
    _R.TRUNCATED_JSON: _("The JSON ends before it is complete; the message was cut off on its way."),
    _R.DUPLICATE_KEY: _("An object names the same key twice, so it is not clear which value counts."),
    _R.TOO_DEEP: _("The message is nested deeper than any event is."),
    _R.TOO_LARGE: _("The message has more bytes than a message may have; send it in parts."),
    _R.TOO_MANY_ITEMS: _("The message holds more items than one message may; send it in parts."),
    _R.BAD_NUMBER: _("The message holds a number that cannot be used, such as NaN or one of too many digits."),
    _R.WRONG_TOP_LEVEL: _("The message is neither a list of events nor an event."),
    _R.UNSUPPORTED_FORMAT: _("This format is not supported."),
    _R.UNSUPPORTED_DIALECT: _(
        "This version of the standard is not read here; send DCSA Track & Trace 2.2, or 3.0 as of 2026, one a message."
    ),
    _R.TRUNCATED_MESSAGE: _("The message ends before it is complete; it was cut off on its way."),
    _R.BAD_ENVELOPE: _("The envelope of the message does not fit what it holds."),
    _R.NOT_CSV: _("The file is not a CSV file with a header line."),
    _R.UNKNOWN_COLUMN: _("The file has a column that is not known."),
    _R.MISSING_COLUMN: _("The file lacks a column that it needs."),
    _R.DUPLICATE_COLUMN: _("The file names the same column twice."),
    _R.BAD_SIGNATURE: _("The signature does not fit the message."),
    _R.PARSER_FAILED: _("The message could not be read; its bytes are kept."),
    _R.NOT_XLSX: _("The file is not a workbook that can be read (XLSX)."),
    _R.BAD_ARCHIVE: _("The file is an archive with contents that are not allowed in it."),
    _R.TOO_MANY_CELLS: _("The workbook has more rows or columns than one file may have; send it in parts."),
    _R.TOO_SLOW: _("Reading the file took longer or more memory than any ordinary file does."),
    _R.NO_MAPPING: _("Nobody has said yet what the columns or fields of this source mean."),
    _R.BAD_MAPPING: _("The mapping of this source does not fit what it sends."),
    _R.WRONG_TYPE: _("A field is of another type than the standard says, such as a number in place of text."),
    _R.MISSING_FIELD: _("A field that the event needs is missing."),
    _R.UNKNOWN_CODE: _("A code is not in the list that it belongs to."),
    _R.NO_CLASSIFIER: _("The event does not say whether it is planned, estimated or actual."),
    _R.BAD_TIME: _("The time of the event cannot be read."),
    _R.BAD_VALUE: _("A value cannot be read as what its field holds."),
    _R.BAD_TEXT: _("A text holds characters that cannot be stored."),
    _R.TOO_LONG: _("A value is longer than the standard allows."),
    _R.BAD_ROW: _("The row does not have the columns that the header names."),
    _R.BAD_SEGMENT: _("A segment cannot be read."),
    _R.NO_REFERENCE: _("The event names no shipment, container, booking or bill of lading."),
    _R.MISSING_SEGMENT: _("A segment that the event needs is missing."),
    _R.ENVELOPE_REFUSED: _("The envelope does not fit what it holds, and this source is set to be strict about that."),
    _R.REFUSED_WITH_OTHERS: _("Another event of the message could not be used, and this source is all or nothing."),
    _R.NOT_TRACKED: _("The code says nothing that is tracked; it is kept and set aside."),
    _R.NO_ZONE: _("The time has no offset, and the time zone of its place is not known."),
    _R.FUTURE_ACTUAL: _("The event says that something has happened, but its time lies in the future."),
    _R.IMPLAUSIBLE_TIME: _("The time lies before the year 2000 or more than a year ahead."),
    _R.NO_MATCHING_SHIPMENT: _("No shipment has any of the references of this event."),
    _R.NOT_AUTHORISED: _("This source may not report on the shipment that the event names."),
    _R.UNKNOWN_ACCOUNT: _("There is no account with the name that the row gives."),
    _R.RETRACTION_OF_OTHER_SOURCE: _("Only the source that reported an event may withdraw it."),
    _R.RETRACTION_OF_RETRACTION: _("A withdrawal cannot be withdrawn; the event must be sent anew."),
    _R.CONTAINER_CHECK_DIGIT: _("The check digit of the container number does not fit."),
    _R.IMO_CHECK_DIGIT: _("The check digit of the IMO number does not fit."),
    _R.UNKNOWN_PLACE: _("The place is not in the list of places."),
    _R.PLACE_CONFLICT: _("The event names two different places; the more specific one is used."),
    _R.NO_MODE: _("The event does not say which mode of transport it speaks of."),
    _R.NO_LADEN: _("The event does not say whether the container is laden or empty."),
    _R.ZONE_FROM_FACILITY: _("The time has no offset; the time zone of the place is used."),
    _R.AMBIGUOUS_LOCAL_TIME: _("The local time occurs twice on that day; the first is used."),
    _R.SKIPPED_LOCAL_TIME: _("The local time does not occur on that day; the clocks were put forward."),
    _R.OFFSET_DIFFERS_FROM_ZONE: _("The stated offset differs from the zone of the place; the stated one is used."),
    _R.FUTURE_ACT_AS_EST: _("An actual in the future was taken as an estimate, as this source is set up."),
    _R.CONTROL_COUNT: _("A count in the envelope does not fit what the message holds."),
    _R.CONTROL_REFERENCE: _("The reference at the end of the envelope differs from the one at its start."),
    _R.ENVELOPE_PADDING: _("The envelope is not padded to its fixed width."),
    _R.ORDER_VIOLATION: _("The event comes before one that should precede it."),
    _R.DUPLICATE_INTERCHANGE: _("An interchange with this reference came before with other contents."),
    _R.UNKNOWN_CARRIER: _("The carrier is not in the list of carriers."),
    _R.NO_CONTROL_TRAILER: _("The envelope is not closed; the message was read to its end all the same."),
}


def sentence(reason: str) -> Promise | str:
    """What a code means, for people, in the reader's language; a code outside the list is shown as it is."""
    try:
        return _SENTENCES[Reason(reason)]
    except ValueError:
        return reason
