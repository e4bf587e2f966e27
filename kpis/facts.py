"""What kpis tells: that a month is closed and its figures can be read.

Who is told stands in portal.notify.
"""

from __future__ import annotations

from datetime import UTC, datetime

from portal.lib.facts import Audience, Fact, fact


@fact("kpis.snapshot_published", audience=Audience.FOLLOWERS, entitlement="kpi_snapshots")
class SnapshotPublished(Fact):
    """A version of a month's snapshot was closed and shown to the account."""

    snapshot: str  # public id
    period: str  # YYYY-MM
    version: int
    summary: str  # one sentence: the figure and its grade
    path: str

    @property
    def object_key(self) -> str:
        """Once for each snapshot; a new version is a new snapshot."""
        return self.snapshot

    @property
    def matter(self) -> str:
        """A later version of the month stands in place of the one before."""
        return f"month:{self.period}"

    @classmethod
    def example(cls) -> SnapshotPublished:
        """March of some account."""
        return cls(
            occurred_at=datetime(2026, 4, 6, 12, 0, tzinfo=UTC), snapshot="0123456789abcdefghjk", period="2026-03",
            version=1, summary="On-time delivery 96.4 % (212 of 220 units), data grade A.",
            path="/snapshots/0123456789abcdefghjk",
        )  # fmt: skip
