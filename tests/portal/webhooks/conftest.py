"""Endpoints and tiers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def receiver() -> Iterator[Any]:
    """A customer's endpoint."""
    from tests.portal.webhooks.receiver import Receiver

    with Receiver() as listening:
        yield listening


@pytest.fixture
def tier() -> Iterator[set[str]]:
    """Every account has everything but what the test names here."""
    from portal.web import policy

    before, all_before, refused = list(policy._entitled), list(policy._all_of), set[str]()
    policy.ask_entitlements_of(lambda key, at: key not in refused)
    yield refused
    policy._entitled[:], policy._all_of[:] = before, all_before
