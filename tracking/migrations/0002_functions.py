"""The look-ups over tenants that answer ids only: whose source, whose reference, whose event; and search by part."""

from django.db import migrations

from portal.tenancy.walls import DefinerFunction


class Migration(migrations.Migration):
    dependencies = [("tracking", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX reference_parts ON tracking_reference USING gin (tenant_id, value gin_trgm_ops)",
            "DROP INDEX reference_parts",
        ),
        DefinerFunction(
            name="plimsoll_scope_of_source",
            arguments="wanted text",
            returns="bigint",
            body="SELECT tenant_id FROM tracking_source WHERE key = wanted AND is_active",
        ),
        DefinerFunction(
            name="plimsoll_tenants_of_references",
            arguments="wanted text[]",
            returns="TABLE (ref text, tenant_id bigint)",
            body="""SELECT DISTINCT w.ref, r.tenant_id FROM unnest(wanted) AS w(ref)
                    JOIN tracking_reference r ON r.value = split_part(w.ref, ':', 2)
                                             AND r.kind = split_part(w.ref, ':', 1)""",
        ),
        DefinerFunction(
            name="plimsoll_tenants_of_events",
            arguments="wanted_source text, wanted text[]",
            returns="TABLE (event_key text, tenant_id bigint)",
            body="""SELECT DISTINCT s.event_key::text, s.tenant_id FROM tracking_sightingrow s
                    WHERE s.source = wanted_source AND s.event_key = ANY (wanted)""",
        ),
        DefinerFunction(
            name="plimsoll_search_part",
            arguments="wanted text, most int",
            returns="TABLE (shipment_id bigint)",
            body="""SELECT DISTINCT r.shipment_id FROM tracking_reference r
                    WHERE r.tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint
                      AND r.kind <> 'VOYAGE' AND length(wanted) >= 4
                      AND r.value LIKE '%' || replace(replace(replace(wanted, '\\', '\\\\'), '%', '\\%'), '_', '\\_') || '%'
                    LIMIT most""",
        ),
    ]
