"""The look-ups over tenants of the dispatcher and of /metrics: ids and counts only."""

from django.db import migrations

from portal.tenancy.walls import DefinerFunction


class Migration(migrations.Migration):
    dependencies = [("outbox", "0001_initial")]

    operations = [
        DefinerFunction(
            name="plimsoll_due_outbox",
            arguments="at_time timestamptz, again_seconds int, each int, most int",
            returns="TABLE (tenant_id bigint, row_id bigint)",
            body="""SELECT picked.tenant_id, picked.id FROM tenancy_tenant t
                    CROSS JOIN LATERAL (
                      SELECT r.tenant_id, r.id, r.due_at, row_number() OVER (ORDER BY r.due_at, r.id) AS turn
                      FROM outbox_outboxrow r
                      WHERE r.tenant_id = t.id AND r.state = 'PENDING' AND r.due_at <= at_time
                        AND (r.lease_until IS NULL OR r.lease_until < statement_timestamp())
                        AND (r.published_at IS NULL OR r.published_at < statement_timestamp()
                             - make_interval(secs => again_seconds * power(2, least(greatest(r.publishes - 1, 0), 5))))
                        AND NOT (r.outgoing AND EXISTS (SELECT FROM tenancy_installation i WHERE i.sending_paused))
                      ORDER BY r.due_at, r.id
                      LIMIT greatest(each - (
                        SELECT count(*) FROM outbox_outboxrow f
                        WHERE f.tenant_id = t.id AND f.state = 'PENDING' AND f.published_at IS NOT NULL
                          AND f.published_at >= statement_timestamp() - make_interval(secs => again_seconds)
                      ), 0)
                    ) picked
                    ORDER BY picked.turn, picked.due_at LIMIT most""",
        ),
        DefinerFunction(
            name="plimsoll_active_tenants",
            arguments="",
            returns="TABLE (tenant_id bigint)",
            body="SELECT id FROM tenancy_tenant WHERE is_active",
        ),
        DefinerFunction(
            name="plimsoll_outbox_gauges",
            arguments="",
            returns="TABLE (waiting bigint, dead bigint, oldest_seconds bigint)",
            body="""SELECT count(*) FILTER (WHERE state = 'PENDING'), count(*) FILTER (WHERE state = 'DEAD'),
                           coalesce(extract(epoch FROM statement_timestamp()
                                    - min(due_at) FILTER (WHERE state = 'PENDING' AND due_at <= statement_timestamp())), 0)::bigint
                    FROM outbox_outboxrow WHERE state IN ('PENDING', 'DEAD')""",
        ),
    ]
