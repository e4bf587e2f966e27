"""`TenantTask`: a background task carries a tenant's id and runs inside its scope, whatever ran before it (T11).

What the tasks do stands in each app's tasks.py.
"""

from __future__ import annotations

from typing import Any

from celery import Task

from portal.tenancy.context import as_tenant


class TenantTask(Task):
    """Takes `tenant_id` out of the keywords and enters the scope; the task sees the other keywords only."""

    abstract = True

    def __call__(self, *args: Any, tenant_id: int, **kwargs: Any) -> Any:
        """The scope is left on return and on error."""
        with as_tenant(tenant_id):
            return super().__call__(*args, **kwargs)
