"""The declared entitlements. What a tenant has on a day is asked in selectors.py."""

from __future__ import annotations

from typing import Final

from portal.lib.registry import Registry
from tiers.promises.types import Switch

ENTITLEMENTS: Final[Registry[Switch]] = Registry("tiers.promises.entitlements", of=Switch)
