"""A terminal of the demo world that speaks EDIFACT: its moves as CODECO and COARRI, in an interchange a message.

Pure. Which terminal does, and what it tells, stands in messages.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

# code of the event -> (message, report, qualifier of its time, where the place stands)
_REPORTS: Final = {
    "GTIN": ("CODECO", "34", "7"),
    "GTOT": ("CODECO", "36", "7"),
    "LOAD": ("COARRI", "46", "203"),
    "DISC": ("COARRI", "44", "203"),
}
CODES: Final = frozenset(_REPORTS)


def interchange(sender: str, reference: str, at: datetime, events: Iterable[dict[str, Any]]) -> bytes:
    """One message for each kind of move; `events` are EQUIPMENT actuals in the form of DCSA. Times are local ones."""
    by_code: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        by_code[event["equipmentEventTypeCode"]].append(event)
    messages = [_message(f"{reference}{n}", code, listed) for n, (code, listed) in enumerate(by_code.items(), start=1)]
    lines = [
        f"UNB+UNOC:3+{sender}+MERIDIAN+{at:%y%m%d:%H%M}+{reference}", *(line for m in messages for line in m),
        f"UNZ+{len(messages)}+{reference}",
    ]  # fmt: skip
    return "".join(f"{line}'\r\n" for line in lines).encode("latin-1")


def _message(reference: str, code: str, events: Sequence[dict[str, Any]]) -> list[str]:
    name, report, qualifier = _REPORTS[code]
    place = events[0]["eventLocation"]["UNLocationCode"]
    side = "9" if code == "LOAD" else "11"
    head = [f"UNH+{reference}+{name}:D:95B:UN", f"BGM+{report}+{reference}+9"]
    head += ["TDT+20++1", f"LOC+{side}+{place}:139:6"] if name == "COARRI" else ["TDT+1++3"]
    body = [line for event in events for line in _box(event, name, qualifier, place)]
    segments = [*head, *body, f"CNT+16:{len(events)}"]
    return [*segments, f"UNT+{len(segments) + 1}+{reference}"]


def _box(event: dict[str, Any], name: str, qualifier: str, place: str) -> list[str]:
    papers = event["documentReferences"]
    when = datetime.fromisoformat(event["eventDateTime"])
    fullness = "4" if event["emptyIndicatorCode"] == "EMPTY" else "5"
    lines = [f"EQD+CN+{event['equipmentReference']}+45G1:102:5+2++{fullness}"]
    lines += [f"RFF+BN:{papers[0]['documentReferenceValue']}"] if papers else []
    lines.append(f"DTM+{qualifier}:{when:%Y%m%d%H%M}:203")
    return [*lines, f"LOC+165+{place}:139:6"] if name == "CODECO" else lines
