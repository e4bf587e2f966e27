"""Which adapter reads a message: declared by the source, hinted by its labels, decided by its bytes.

Adapters themselves stand in tracking/adapters, one file each.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from portal.lib.registry import Registry
from tracking.reasons import Reason, sentence
from tracking.types import PLAIN, Adapter, Parsed, Partner, Unreadable

log = logging.getLogger("plimsoll.ingest")
ADAPTERS: Final = Registry("tracking.adapters", of=Adapter)
AUTO: Final = "auto"
FORMATS: Final = ("dcsa", "iftsta", "codeco", "coarri", "x12_315", "x12_214", "x12_322", "csv", AUTO)


def adapter_for(declared: str, content_type: str = "", file_name: str = "") -> Adapter:
    """An adapter for a message of a source whose format is `declared`.

    The bytes have the last word: a source may send any format. The declared one is taken when they look like it or
    like nothing that is known; then its reader says what is wrong.
    """
    hinted = _hinted(content_type, file_name)

    def parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
        chosen = _chosen(raw, (declared, hinted))
        try:
            return chosen.parse(raw, content_type=content_type, partner=partner)
        except Unreadable:
            raise
        except Exception:
            # a defect of ours must not lose the message nor stop the queue behind it: it waits with its bytes (G7)
            log.exception("the reader %s failed on a message of %s bytes", chosen.key, len(raw))
            raise Unreadable(Reason.PARSER_FAILED, str(sentence(Reason.PARSER_FAILED))) from None

    base = ADAPTERS.get(declared)
    if base is None:
        return Adapter(key=declared, label=declared, parse=parse, recognises=lambda raw: False)
    return replace(base, parse=parse)


def reader_of(raw: bytes, declared: str, content_type: str = "", file_name: str = "") -> Adapter:
    """The adapter that `adapter_for` takes for these bytes. Raises Unreadable when there is none."""
    return _chosen(raw, (declared, _hinted(content_type, file_name)))


def recognised(raw: bytes) -> Adapter | None:
    """The adapter whose format the bytes look like."""
    return next((adapter for adapter in ADAPTERS if not adapter.is_own and adapter.recognises(raw)), None)


def _hinted(content_type: str, file_name: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if file_name.lower().endswith(".csv"):
        kind = kind or "text/csv"
    return next((a.key for a in ADAPTERS if kind and kind in a.content_types), "")


def _chosen(raw: bytes, wanted: tuple[str, ...]) -> Adapter:
    known = [found for key in wanted if (found := ADAPTERS.get(key))]
    if known and known[0].is_own:
        return known[0]
    chosen = next((a for a in known if a.recognises(raw)), None) or recognised(raw) or (known[0] if known else None)
    if chosen is None:
        raise Unreadable(Reason.UNSUPPORTED_FORMAT, f"No reader for this message: {beginning(raw)}.")
    return chosen


def beginning(raw: bytes) -> str:
    """How the bytes begin, for a sentence."""
    return f"it begins with {raw[:24].decode('ascii', 'replace')!a}" if raw.strip() else "it is empty"
