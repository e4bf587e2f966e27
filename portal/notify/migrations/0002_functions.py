"""Counts of deliveries over tenants, for /metrics."""

from django.db import migrations

from portal.tenancy.walls import DefinerFunction


class Migration(migrations.Migration):
    dependencies = [("notify", "0001_initial")]

    operations = [
        DefinerFunction(
            name="plimsoll_delivery_gauges",
            arguments="",
            returns="TABLE (phase text, deliveries bigint)",
            body="""SELECT phase, count(*) FROM notify_delivery
                    WHERE phase IN ('QUEUED', 'CLAIMED', 'HANDED_OVER', 'UNCERTAIN', 'FAILED') GROUP BY phase""",
        ),
    ]
