"""Which closed months an account may see: its pages and its systems alike (R5.3)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kpis import selectors
from kpis.models import Snapshot
from portal.web.policy import entitled

KEY: Final = "kpi_snapshots"


def may_see(snapshot: Snapshot, *, at: datetime) -> bool:
    """Published, and the account was entitled when it was, or is now."""
    return snapshot.is_published(at) and (entitled(KEY, at) or entitled(KEY, snapshot.published_at))


def snapshots_seen(*, at: datetime) -> list[Snapshot]:
    """The closed months that the account may see, newest first, each in its newest version."""
    return [s for s in selectors.snapshot_list(at=at) if may_see(s, at=at)]


def may_enter(*, at: datetime) -> bool:
    """Entitled now, or to something that was published before."""
    return entitled(KEY, at) or bool(snapshots_seen(at=at))
