import usage.models.fields
from django.db import migrations, models


_HOUR, _DAY = 3_600_000_000, 86_400_000_000


def _add_to_key(apps, schema_editor):
    """A column of the primary key: the table is made anew, and filled with the others."""
    model = apps.get_model('usage', 'UsageDailyFailures')
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE {model._meta.db_table}')
    schema_editor.create_model(model)


def _fill(apps, schema_editor):
    """Of the hourly failures, which there are of pruned records too."""
    state = apps.get_model('usage', 'RollupState').objects.first()
    offset = state.day_offset if state else 0
    if offset % _HOUR:
        # Days that begin within an hour are made of the records afterwards (usage/apps.py).
        apps.get_model('usage', 'RollupState').objects.update(version=0)
    day = f'(bucket + {offset}) / {_DAY} * {_DAY} - {offset}'
    _add_up(apps, schema_editor, 'UsageDailyFailures', day, 'source_id', 'model_id')
    _add_up(apps, schema_editor, 'UsageDailyFailuresByKey', day, 'api_key_id')
    _add_up(apps, schema_editor, 'UsageFailuresByChannel', 'bucket', 'channel_id')


def _add_up(apps, schema_editor, name, bucket, *dimensions):
    table, hours, sources = (apps.get_model('usage', one)._meta for one in (name, 'UsageFailures', 'Source'))
    key = ['bucket', *dimensions, 'status_code']
    names = [field.column for field in table.concrete_fields if field.column not in key]
    values = ', '.join([bucket, *dimensions, 'status_code']).replace('channel_id', 'sums_channel_id')
    places = ', '.join(str(place) for place in range(1, len(key) + 1))
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table.db_table} ({', '.join([*key, *names])}) "
            f"SELECT {values}, {', '.join(f'SUM({name})' for name in names)} "
            f"FROM {hours.db_table} JOIN {sources.db_table} AS sources ON sources.id = source_id "
            f"GROUP BY {places} ORDER BY {places}"
        )


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0021_saved_views'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageDailyFailuresByKey',
            fields=[
                ('uncached_input', models.BigIntegerField(default=0, verbose_name='uncached input')),
                ('cache_read', models.BigIntegerField(default=0, verbose_name='cached input')),
                ('cache_write', models.BigIntegerField(default=0, verbose_name='cache write')),
                ('output', models.BigIntegerField(default=0, verbose_name='answer output')),
                ('reasoning', models.BigIntegerField(default=0, verbose_name='reasoning')),
                ('unclassified', models.BigIntegerField(default=0, verbose_name='unclassified')),
                ('priced_tokens', models.BigIntegerField(default=0, verbose_name='priced tokens')),
                ('cost_nanousd', models.BigIntegerField(default=0, verbose_name='est. cost (nano-USD)')),
                ('saved_nanousd', models.BigIntegerField(default=0, verbose_name='saved by the cache (nano-USD)')),
                ('timed_output', models.BigIntegerField(default=0, verbose_name='timed output')),
                ('timed_ms', models.BigIntegerField(default=0, verbose_name='time of output (ms)')),
                ('requests', models.IntegerField(default=0, verbose_name='requests')),
                ('failed', models.IntegerField(default=0, verbose_name='failed')),
                ('priced_requests', models.IntegerField(default=0, verbose_name='priced requests')),
                ('priced_succeeded', models.IntegerField(default=0, verbose_name='priced and succeeded')),
                ('without_usage', models.IntegerField(default=0, verbose_name='without usage')),
                ('unused_failures', models.IntegerField(default=0, verbose_name='failed without usage')),
                ('estimated_requests', models.IntegerField(default=0, verbose_name='tokens estimated')),
                ('unclassified_requests', models.IntegerField(default=0, verbose_name='tokens unclassified')),
                ('inconsistent_requests', models.IntegerField(default=0, verbose_name='tokens inconsistent')),
                ('without_request_id', models.IntegerField(default=0, verbose_name='without request id')),
                ('bucket', usage.models.fields.InstantField(verbose_name='day')),
                ('api_key_id', models.IntegerField(default=0, verbose_name='API key')),
                ('status_code', models.PositiveSmallIntegerField(default=0, verbose_name='status')),
                ('pk', models.CompositePrimaryKey('bucket', 'api_key_id', 'status_code', blank=True, editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'verbose_name': 'daily failures by key',
                'verbose_name_plural': 'daily failures by key',
            },
        ),
        migrations.CreateModel(
            name='UsageFailuresByChannel',
            fields=[
                ('uncached_input', models.BigIntegerField(default=0, verbose_name='uncached input')),
                ('cache_read', models.BigIntegerField(default=0, verbose_name='cached input')),
                ('cache_write', models.BigIntegerField(default=0, verbose_name='cache write')),
                ('output', models.BigIntegerField(default=0, verbose_name='answer output')),
                ('reasoning', models.BigIntegerField(default=0, verbose_name='reasoning')),
                ('unclassified', models.BigIntegerField(default=0, verbose_name='unclassified')),
                ('priced_tokens', models.BigIntegerField(default=0, verbose_name='priced tokens')),
                ('cost_nanousd', models.BigIntegerField(default=0, verbose_name='est. cost (nano-USD)')),
                ('saved_nanousd', models.BigIntegerField(default=0, verbose_name='saved by the cache (nano-USD)')),
                ('timed_output', models.BigIntegerField(default=0, verbose_name='timed output')),
                ('timed_ms', models.BigIntegerField(default=0, verbose_name='time of output (ms)')),
                ('requests', models.IntegerField(default=0, verbose_name='requests')),
                ('failed', models.IntegerField(default=0, verbose_name='failed')),
                ('priced_requests', models.IntegerField(default=0, verbose_name='priced requests')),
                ('priced_succeeded', models.IntegerField(default=0, verbose_name='priced and succeeded')),
                ('without_usage', models.IntegerField(default=0, verbose_name='without usage')),
                ('unused_failures', models.IntegerField(default=0, verbose_name='failed without usage')),
                ('estimated_requests', models.IntegerField(default=0, verbose_name='tokens estimated')),
                ('unclassified_requests', models.IntegerField(default=0, verbose_name='tokens unclassified')),
                ('inconsistent_requests', models.IntegerField(default=0, verbose_name='tokens inconsistent')),
                ('without_request_id', models.IntegerField(default=0, verbose_name='without request id')),
                ('bucket', usage.models.fields.InstantField(verbose_name='hour')),
                ('channel_id', models.IntegerField(default=0, verbose_name='channel')),
                ('status_code', models.PositiveSmallIntegerField(default=0, verbose_name='status')),
                ('pk', models.CompositePrimaryKey('bucket', 'channel_id', 'status_code', blank=True, editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'verbose_name': 'hourly failures by channel',
                'verbose_name_plural': 'hourly failures by channel',
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name='usagedailyfailures',
                    name='status_code',
                    field=models.PositiveSmallIntegerField(default=0, verbose_name='status'),
                ),
                migrations.AlterField(
                    model_name='usagedailyfailures',
                    name='pk',
                    field=models.CompositePrimaryKey('bucket', 'source_id', 'model_id', 'status_code', blank=True, editable=False, primary_key=True, serialize=False),
                ),
            ],
        ),
        migrations.RunPython(_add_to_key, elidable=False),
        migrations.RunPython(_fill, elidable=False),
    ]
