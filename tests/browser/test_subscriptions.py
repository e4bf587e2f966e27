"""A manager looks at what is sent to the account's systems: all is well, something hangs, something has ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.browser.desk import NARROW, WIDE
from tests.tracking.pages import NOW
from tests.tracking.subscriber import Reply
from tests.tracking.test_dcsa_subscriptions import System, tms

__all__ = ["tms"]  # the fixture
pytestmark = [pytest.mark.slow, pytest.mark.req("H7")]


def test_a_manager_sees_what_is_sent(acme, tms, desk: Callable[..., Any]) -> None:
    system = System(acme, tms, eventType=["TRANSPORT", "EQUIPMENT"])
    seen = desk(acme.manager)
    system.run()
    system.hears(3)
    system.run()
    tms.answers = [Reply(503, b"Down for maintenance until 14:00")]
    system.hears(2, at=NOW + timedelta(minutes=1), code="LOAD")
    system.run(NOW + timedelta(minutes=1))
    seen.open("/settings/subscriptions")
    assert "The last callback was not taken" in seen.text()
    assert "Down for maintenance until 14:00" in seen.text()
    for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
        seen.look(size, scheme)
        assert seen.judge() == []
    tms.answers = [Reply(410)]
    system.run(system.due_at())
    seen.page.reload()
    assert "Ended" in seen.text() and "Nothing is sent any more" in seen.text()
