import usage.models.fields
from django.db import migrations, models


_HOUR = 3_600_000_000
_FILL = (
    'INSERT INTO usage_attempthour (hour, first_began_at, asked, asked_ok, requests, succeeded, rescued, attempts) '
    f'SELECT requested_at / {_HOUR} * {_HOUR}, MIN(began_at), COUNT(*), SUM(CASE WHEN failed THEN 0 ELSE 1 END), '
    'SUM(CASE WHEN number = 1 THEN 1 ELSE 0 END), '
    'SUM(CASE WHEN number = 1 AND succeeded > 0 THEN 1 ELSE 0 END), '
    'SUM(CASE WHEN number = 1 AND succeeded > 0 AND succeeded < attempts THEN 1 ELSE 0 END), '
    'SUM(CASE WHEN number = 1 THEN attempts ELSE 0 END) FROM usage_attempt GROUP BY 1'
)


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0022_failures_by_key_and_channel'),
    ]

    operations = [
        migrations.CreateModel(
            name='AttemptHour',
            fields=[
                ('hour', usage.models.fields.InstantField(primary_key=True, serialize=False, verbose_name='hour')),
                ('first_began_at', usage.models.fields.InstantField(verbose_name='first began')),
                ('asked', models.IntegerField(verbose_name='attempts')),
                ('asked_ok', models.IntegerField(verbose_name='succeeded attempts')),
                ('requests', models.IntegerField(verbose_name='client requests')),
                ('succeeded', models.IntegerField(verbose_name='succeeded')),
                ('rescued', models.IntegerField(verbose_name='rescued')),
                ('attempts', models.IntegerField(verbose_name='attempts of the client requests')),
            ],
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
    ]
