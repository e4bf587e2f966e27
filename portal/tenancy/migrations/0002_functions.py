"""The look-ups that run before a scope is known: ids only, each for one key."""

from django.db import migrations

from portal.tenancy.walls import DefinerFunction


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_initial")]

    operations = [
        # 1 is the operator's own scope
        migrations.RunSQL("ALTER TABLE tenancy_tenant ALTER COLUMN id RESTART WITH 2", migrations.RunSQL.noop),
        DefinerFunction(
            name="plimsoll_membership",
            arguments="wanted bigint",
            returns="TABLE (tenant_id bigint, member_id bigint)",
            body="""SELECT m.tenant_id, m.id FROM tenancy_member m
                    JOIN tenancy_tenant t ON t.id = m.tenant_id JOIN tenancy_user u ON u.id = m.user_id
                    WHERE m.user_id = wanted AND m.is_active AND t.is_active AND u.is_active""",
        ),
        DefinerFunction(
            name="plimsoll_tenant_of_public_id",
            arguments="wanted text",
            returns="bigint",
            body="SELECT id FROM tenancy_tenant WHERE public_id = wanted AND is_active",
        ),
        DefinerFunction(
            name="plimsoll_tenant_of_code",
            arguments="wanted text",
            returns="bigint",
            body="SELECT id FROM tenancy_tenant WHERE code = wanted",
        ),
    ]
