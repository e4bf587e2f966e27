"""Counts of webhooks over tenants, for /metrics."""

from django.db import migrations

from portal.tenancy.walls import DefinerFunction


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_initial")]

    operations = [
        DefinerFunction(
            name="plimsoll_webhook_gauges",
            arguments="",
            returns="TABLE (waiting bigint, failed bigint, switched_off bigint)",
            body="""SELECT (SELECT count(*) FROM webhooks_webhookdelivery WHERE state IN ('WAITING', 'SENDING')),
                           (SELECT count(*) FROM webhooks_webhookdelivery WHERE state = 'FAILED' AND NOT is_test),
                           (SELECT count(*) FROM webhooks_webhookendpoint
                             WHERE removed_at IS NULL AND off_reason IN ('GONE', 'FAILING'))""",
        ),
    ]
