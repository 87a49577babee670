import django.db.models.deletion
import usage.models.fields
from django.db import migrations, models

# All tables that have a row for many or each of the records are made anew: on PostgreSQL a column keeps its place, and
# each change of a type would write such a table again. Their rows are copied, with the ids of the records.

_TOKENS = {
    'uncached_input': 'uncached input',
    'cache_read': 'cached input',
    'cache_write': 'cache write',
    'output': 'answer output',
    'reasoning': 'reasoning',
    'unclassified': 'unclassified',
}
_LARGE_SUMS = _TOKENS | {
    'priced_tokens': 'priced tokens',
    'cost_nanousd': 'est. cost (nano-USD)',
    'timed_output': 'timed output',
    'timed_ms': 'time of output (ms)',
}
_COUNTS = {
    'requests': 'requests',
    'failed': 'failed',
    'priced_requests': 'priced requests',
    'priced_succeeded': 'priced and succeeded',
    'without_usage': 'without usage',
    'estimated_requests': 'tokens estimated',
    'unclassified_requests': 'tokens unclassified',
    'inconsistent_requests': 'tokens inconsistent',
    'without_request_id': 'without request id',
}
_DIMENSIONS = {
    'source_id': ('source', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='usage.source', verbose_name='source')),
    'model_id': ('model', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='usage.modelname', verbose_name='model')),
    'api_key_id': ('api_key_id', models.IntegerField(default=0, verbose_name='API key')),
    'status_code': ('status_code', models.PositiveSmallIntegerField(default=0, verbose_name='status')),
}
# Model, what its intervals are called, dimensions, name.
_SUMS = [
    ('UsageHourly', 'hour', ('source_id', 'model_id', 'api_key_id'), 'hourly usage'),
    ('UsageHourlyBySource', 'hour', ('source_id',), 'hourly usage by source'),
    ('UsageHourlyByModel', 'hour', ('model_id',), 'hourly usage by model'),
    ('UsageDaily', 'day', ('source_id', 'model_id'), 'daily usage'),
    ('UsageDailyBySource', 'day', ('source_id',), 'daily usage by source'),
    ('UsageDailyByModel', 'day', ('model_id',), 'daily usage by model'),
    ('UsageDailyByKeyModel', 'day', ('api_key_id', 'model_id'), 'daily usage by key and model'),
    ('UsageDailyByKey', 'day', ('api_key_id',), 'daily usage by key'),
    ('UsageDailyBySourceKey', 'day', ('source_id', 'api_key_id'), 'daily usage by source and key'),
    ('UsageFailures', 'hour', ('source_id', 'model_id', 'api_key_id', 'status_code'), 'hourly failures'),
]  # fmt: skip
_RENEWED = ['UsageRecord', *(name for name, *_rest in _SUMS)]
# What four bytes hold; no request takes 24 days.
_TOO_LONG = 2**31


def _put_aside(name):
    """The table stays, by another name; the models know it no more."""
    table = f'usage_{name.lower()}'
    return migrations.SeparateDatabaseAndState(
        [migrations.RunSQL(f'ALTER TABLE {table} RENAME TO {table}_before')], [migrations.DeleteModel(name)]
    )


def _sums(name, interval, dimensions, words):
    return migrations.CreateModel(
        name=name,
        fields=[
            ('bucket', usage.models.fields.InstantField(verbose_name=interval)),
            *((column, models.BigIntegerField(default=0, verbose_name=label)) for column, label in _LARGE_SUMS.items()),
            *((column, models.IntegerField(default=0, verbose_name=label)) for column, label in _COUNTS.items()),
            *(_DIMENSIONS[dimension] for dimension in dimensions),
            ('pk', models.CompositePrimaryKey('bucket', *dimensions, blank=True, editable=False, primary_key=True, serialize=False)),
        ],
        options={'verbose_name': words, 'verbose_name_plural': words},
    )


def _copy(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        _make_sums_anew_where_records_change(cursor)
        _go_on_counting(cursor, schema_editor.connection.vendor)
        if schema_editor.connection.vendor == 'postgresql':
            _fill_index_of_ids(cursor)
        changed = {name: f'CASE WHEN {name} < {_TOO_LONG} THEN {name} END' for name in ('latency_ms', 'ttft_ms')}
        changed['dedup_key'] = 'substr(dedup_key, 1, 7)'
        for name in _RENEWED:
            model = apps.get_model('usage', name)
            table, columns = model._meta.db_table, [field.column for field in model._meta.concrete_fields]
            values = ', '.join(changed.get(column, column) for column in columns)
            order = ', '.join(field.column for field in model._meta.pk_fields)
            cursor.execute(
                f'INSERT INTO {table} ({", ".join(columns)}) SELECT {values} FROM {table}_before ORDER BY {order}'
            )
            cursor.execute(f'DROP TABLE {table}_before')
            if schema_editor.connection.vendor == 'postgresql':
                cursor.execute(f'ANALYZE {table}')


def _make_sums_anew_where_records_change(cursor):
    """As soon as the tables are new (usage/apps.py)."""
    cursor.execute(
        'UPDATE usage_rollupstate SET version = 0 WHERE EXISTS '
        f'(SELECT 1 FROM usage_usagerecord_before WHERE latency_ms >= {_TOO_LONG} OR ttft_ms >= {_TOO_LONG})'
    )


def _go_on_counting(cursor, vendor):
    """A record that is gone had an id that no other gets."""
    if vendor == 'postgresql':
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('usage_usagerecord', 'id'), "
            "nextval(pg_get_serial_sequence('usage_usagerecord_before', 'id')), false)"
        )
    else:
        cursor.execute(
            "INSERT INTO sqlite_sequence (name, seq) "
            "SELECT 'usage_usagerecord', seq FROM sqlite_sequence WHERE name = 'usage_usagerecord_before'"
        )


def _fill_index_of_ids(cursor):
    """Ids only ever come at its end, so that it needs no space between. The one of times, in which records come a little
    out of order, does: filled to the end it would become half as large again.
    """
    cursor.execute(
        "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'usage_usagerecord'::regclass AND indisprimary"
    )
    (index,) = cursor.fetchone()
    cursor.execute(f'ALTER INDEX {index} SET (fillfactor = 100)')


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0006_client_requests'),
    ]

    operations = [
        migrations.AlterField(
            model_name='failuretext',
            name='record',
            field=models.BigIntegerField(db_column='record_id', primary_key=True, serialize=False),
        ),
        # Names of indexes are the schema's, so the old ones go before the new ones come.
        migrations.RemoveIndex(model_name='usagerecord', name='record_unpriced'),
        migrations.RemoveIndex(model_name='usagerecord', name='record_failed'),
        migrations.RemoveIndex(model_name='usagehourly', name='hourly_cube_of_key'),
        migrations.RemoveIndex(model_name='usagedailybysourcekey', name='daily_by_source_key_of_key'),
        *map(_put_aside, _RENEWED),
        *(
            migrations.AlterField(model_name=name, name='id', field=models.AutoField(primary_key=True, serialize=False))
            for name in ('source', 'modelname', 'apikey', 'requesttraits', 'modelprice')
        ),
        migrations.CreateModel(
            name='UsageRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('requested_at', usage.models.fields.InstantField(verbose_name='time')),
                ('received_at', usage.models.fields.InstantField(verbose_name='received')),
                ('cost_nanousd', models.BigIntegerField(null=True, verbose_name='est. cost (nano-USD)')),
                *((column, models.IntegerField(default=0, verbose_name=label)) for column, label in _TOKENS.items()),
                ('latency_ms', models.IntegerField(null=True, verbose_name='latency (ms)')),
                ('ttft_ms', models.IntegerField(null=True, verbose_name='first token (ms)')),
                ('source', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='usage.source', verbose_name='source')),
                ('model', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='usage.modelname', verbose_name='model')),
                ('alias', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='usage.modelname', verbose_name='requested as')),
                ('api_key', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='usage.apikey', verbose_name='API key')),
                ('traits', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='usage.requesttraits', verbose_name='request traits')),
                ('price', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to='usage.modelprice', verbose_name='price')),
                ('status_code', models.PositiveSmallIntegerField(null=True, verbose_name='status')),
                ('quality', models.PositiveSmallIntegerField(choices=[(0, 'complete'), (1, 'estimated'), (2, 'unclassified'), (3, 'inconsistent')], default=0, verbose_name='token quality')),
                ('failed', models.BooleanField(verbose_name='failed')),
                ('generate', models.BooleanField(default=True, verbose_name='generates')),
                ('dedup_key', models.BinaryField(max_length=7)),
                ('request_id', models.CharField(blank=True, max_length=40, verbose_name='request id')),
            ],
            options={
                'verbose_name': 'usage record',
                'verbose_name_plural': 'usage records',
                'constraints': [models.UniqueConstraint(fields=('requested_at', 'dedup_key'), name='record_once')],
            },
        ),
        *(_sums(*each) for each in _SUMS),
        migrations.RunPython(_copy, elidable=False),
        migrations.AddIndex(
            model_name='usagerecord',
            index=models.Index(condition=models.Q(('cost_nanousd', None)), fields=['model'], name='record_unpriced'),
        ),
        migrations.AddIndex(
            model_name='usagerecord',
            index=models.Index(condition=models.Q(('failed', True)), fields=['requested_at'], name='record_failed'),
        ),
        migrations.AddIndex(
            model_name='usagehourly',
            index=models.Index(fields=['api_key_id', 'bucket'], name='hourly_cube_of_key'),
        ),
        migrations.AddIndex(
            model_name='usagedailybysourcekey',
            index=models.Index(fields=['api_key_id', 'bucket'], name='daily_by_source_key_of_key'),
        ),
        migrations.AlterField(
            model_name='failuretext',
            name='record',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='failure_text', serialize=False, to='usage.usagerecord', verbose_name='usage record'),
        ),
    ]
