"""Real servers for the run, one committed database a worker, and the cast.

Tests commit, as the app role; each makes its own tenants and nothing is flushed.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pytest

from tests import servers

_running: list[servers.Servers] = []
_NEVER = datetime(2126, 1, 1, tzinfo=UTC)


def pytest_configure(config: pytest.Config) -> None:
    """Starts the servers once, copies a database for this process, sets Django up."""
    worker = getattr(config, "workerinput", None)
    os.environ["PLIMSOLL_MODE"] = "test"
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # the browser fixture runs an event loop in the test's thread
    if worker is None:
        started = servers.Servers()
        started.start()
        _running.append(started)
        os.environ["PLIMSOLL_TEST_ADMIN"] = started.postgres.superuser_url()
        os.environ["PLIMSOLL_TEST_BROKER"] = started.valkey.url().rsplit("/", 1)[0]
        os.environ["PLIMSOLL_TEST_SOCKET"] = str(started.postgres.root)
    name = worker["workerid"] if worker else "main"
    database = f"test_{name}"
    servers.copy_template(os.environ["PLIMSOLL_TEST_ADMIN"], database)
    names = servers.role_names("test_")
    for variable, role in (
        ("DATABASE_URL", names.app), ("DATABASE_OPERATOR_URL", names.operator), ("DATABASE_OWNER_URL", names.owner),
    ):  # fmt: skip
        os.environ[variable] = (
            os.environ["PLIMSOLL_TEST_ADMIN"]
            .replace("plimsoll_root@", f"{role}@")
            .replace("/postgres?", f"/{database}?")
        )
    number = int(name.removeprefix("gw")) + 1 if worker else 0
    os.environ["CELERY_BROKER_URL"] = f"{os.environ['PLIMSOLL_TEST_BROKER']}/{number}"
    import django

    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops what this process started."""
    if _running:
        from django.db import connections

        connections.close_all()
        _running.pop().stop()


@pytest.fixture(autouse=True)
def _no_scope_left() -> Any:
    """A test that leaves a scope or an open transaction behind is a defect."""
    yield
    from django.db import connections

    from portal.tenancy import context

    assert context.scope_or_none() is None
    assert not connections["default"].in_atomic_block


@pytest.fixture(autouse=True)
def _rest() -> Any:
    """The accounts that a test made trouble no later one on the same database; what a module made goes on."""
    from tests import cast

    before = len(cast.made)
    yield
    if len(cast.made) > before:
        from portal.outbox.models import OutboxRow, RowState
        from portal.tenancy.context import OPERATOR_ID, as_tenant
        from tracking.models import Reference, ReferenceKind

        with as_tenant(OPERATOR_ID):  # mails to hundreds of people of earlier tests
            OutboxRow.objects.filter(state=RowState.PENDING, name="notify.send").update(due_at=_NEVER)
        for tenant_id in cast.made[before:]:
            with as_tenant(tenant_id):
                # all sail on one ship: what is heard of it later is not told to thousands of shipments of earlier tests
                Reference.objects.filter(kind=ReferenceKind.VOYAGE).delete()
                # what was not done is nobody's business for a hundred years, and still there for who counts it
                OutboxRow.objects.filter(state=RowState.PENDING).update(due_at=_NEVER)


@pytest.fixture
def acme() -> Any:
    """A fresh account."""
    yield from _account("ACME")


@pytest.fixture
def globex() -> Any:
    """Another fresh account."""
    yield from _account("GLOBEX")


def _account(code: str) -> Any:
    """Yields it, and lets it rest. What the workshop's jobs have not done by then (one of them kills its process) must
    not wait for a later test on the same database."""
    from django.db.models import F

    from portal.outbox.models import OutboxRow, RowState
    from portal.tenancy.context import as_tenant
    from portal.tenancy.models import Tenant
    from tests import cast

    account = cast.account(code)
    yield account
    with as_tenant(account.pk):
        left = OutboxRow.objects.filter(name__startswith="test.", state=RowState.PENDING)
        left.update(state=RowState.DONE, done_at=F("created_at"), lease_until=None)
        # the clock calls up nothing of it in the workers of later tests
        Tenant.objects.filter(pk=account.pk).update(is_active=False)
