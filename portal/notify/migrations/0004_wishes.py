"""A person's word about a kind of notice becomes one row: what was said of its mails, and of followed shipments alone."""

from django.db import migrations, models

# As the owner, who sees all rows while row security is not forced upon it; both statements are one transaction.
UNWALLED = "ALTER TABLE notify_noticepreference NO FORCE ROW LEVEL SECURITY"
WALLED = "ALTER TABLE notify_noticepreference FORCE ROW LEVEL SECURITY"
MOVED = (
    "UPDATE notify_noticepreference SET mail = 'OFF' WHERE NOT wanted AND fact_key NOT LIKE '%.followed'",
    "INSERT INTO notify_noticepreference"
    " (tenant_id, member_id, fact_key, channel, wanted, mail, bell, which, always, changed_at)"
    " SELECT tenant_id, member_id, left(fact_key, -9), channel, true, 'NOW', true, 'FOLLOWED', false, changed_at"
    " FROM notify_noticepreference WHERE wanted AND fact_key LIKE '%.followed'"
    " ON CONFLICT (tenant_id, member_id, fact_key, channel) DO UPDATE SET which = 'FOLLOWED'",
    "DELETE FROM notify_noticepreference WHERE fact_key LIKE '%.followed'",
)


class Migration(migrations.Migration):

    dependencies = [
        ('notify', '0003_told'),
    ]

    operations = [
        migrations.RunSQL([UNWALLED, *MOVED, WALLED], migrations.RunSQL.noop),
        migrations.RemoveConstraint(
            model_name='noticepreference',
            name='preference_once',
        ),
        migrations.RemoveField(
            model_name='noticepreference',
            name='channel',
        ),
        migrations.RemoveField(
            model_name='noticepreference',
            name='wanted',
        ),
        migrations.AddConstraint(
            model_name='noticepreference',
            constraint=models.UniqueConstraint(fields=('tenant', 'member', 'fact_key'), name='preference_once'),
        ),
    ]
