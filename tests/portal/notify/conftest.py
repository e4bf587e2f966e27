"""An SMTP server to send to, and accounts that may have everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from tests.processes import Sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An SMTP server, and the settings that lead to it."""
    from portal.notify import channels

    channels._breakers.clear()
    with Sink() as server, override_settings(EMAIL_HOST="127.0.0.1", EMAIL_PORT=server.port, EMAIL_TIMEOUT=1):
        yield server


@pytest.fixture(autouse=True)
def tier() -> Iterator[list[str]]:
    """Every account may have everything but what the test names."""
    from portal.web import policy  # apps are loaded by now

    before, all_before, refused = list(policy._entitled), list(policy._all_of), []
    policy.ask_entitlements_of(lambda key, at: key not in refused)
    yield refused
    policy._entitled[:], policy._all_of[:] = before, all_before
