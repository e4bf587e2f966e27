"""The declared KPIs. How a unit is judged stands in otd.py, completeness.py and their neighbours."""

from __future__ import annotations

from typing import Final

from kpis.types import Kpi
from portal.lib.registry import Registry

KPIS: Final[Registry[Kpi]] = Registry("kpis.definitions", of=Kpi)
CLOSED: Final = ("OTD", "COMPLETENESS")  # what a month's close publishes, in this order
