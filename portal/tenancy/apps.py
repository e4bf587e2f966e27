"""The tenancy app: at start it registers what records a crossing."""

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Tenants, people, keys, scope, audit."""

    name = "portal.tenancy"
    label = "tenancy"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Crossings are recorded by the audit trail."""
        from portal.tenancy.context import record_crossings_with
        from portal.tenancy.services import crossing_record

        record_crossings_with(crossing_record)
