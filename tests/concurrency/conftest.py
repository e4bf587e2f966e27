"""A database of its own for tests that kill processes and then judge everything that is stored.

Other tests of the worker leave work and broken rows behind on purpose; here every row is the story's own.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connections

from tests import servers

_ADDRESSES = {"default": "DATABASE_URL", "operator": "DATABASE_OPERATOR_URL", "owner": "DATABASE_OWNER_URL"}


@pytest.fixture
def own_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh copy of the migrated template, for this process and for all that it starts; an empty broker."""
    admin, name = os.environ["PLIMSOLL_TEST_ADMIN"], f"own_{secrets.token_hex(4)}"
    servers.copy_template(admin, name)
    redis.Redis.from_url(settings.CELERY_BROKER_URL).flushdb()
    before = str(connections["default"].settings_dict["NAME"])
    for variable in _ADDRESSES.values():
        monkeypatch.setenv(variable, os.environ[variable].replace(f"/{before}?", f"/{name}?"))
    _go_to(name)
    try:
        yield name
    finally:
        _go_to(before)
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _go_to(name: str) -> None:
    for alias in _ADDRESSES:
        connections[alias].close()
        connections.settings[alias]["NAME"] = connections[alias].settings_dict["NAME"] = name
