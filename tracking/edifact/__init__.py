"""EDIFACT: its syntax, its interchanges, and the container events of IFTSTA, CODECO and COARRI.

Pure, with the standard library alone. The adapters declare what stands here; positions.py takes the spans.
"""

from tracking.edifact.events import parse, speaks
from tracking.edifact.syntax import spans

__all__ = ["parse", "spans", "speaks"]
