from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

# As in 0007, the tables are made anew: on PostgreSQL a column keeps its place, and a wide one behind narrow ones takes up
# space before it in each row. Sums are made of the records as soon as their definition is newer (usage/apps.py).
_copying = import_module('usage.migrations.0007_narrow_columns')

_SUMS = [
    'UsageHourly', 'UsageHourlyBySource', 'UsageHourlyByModel', 'UsageDaily', 'UsageDailyBySource', 'UsageDailyByModel',
    'UsageDailyByKeyModel', 'UsageDailyByKey', 'UsageDailyBySourceKey', 'UsageWeekly', 'UsageFailures',
    'UsageDailyFailures',
]  # fmt: skip
# Where the new columns stand.
_BEHIND = {'saved_nanousd': 'cost_nanousd', 'unused_failures': 'without_usage'}

# What the cache saved of a record that has a cost, by the price that it was booked with: if that still multiplies out to
# the cost, it is as it was. Else nobody knows, and `reprice` can tell. Without cached tokens it is 0 at any price.
# Tokens x price x multiplier do not fit into eight bytes, but nor need they: whole nano-dollars and the rest are added up
# each by itself. The multiplier is in ten-thousandths, prices are per 1,000 tokens.
_PARTS = 10_000_000
_PRICES = {
    'uncached_input': 'prices.input',
    'cache_read': 'COALESCE(prices.cached_input, prices.input)',
    'cache_write': 'COALESCE(prices.cache_write, prices.input)',
    'output': 'prices.output',
    'reasoning': 'COALESCE(prices.reasoning, prices.output)',
    'unclassified': 'prices.input',
}
_SAVES = {bucket: f'(prices.input - {_PRICES[bucket]})' for bucket in ('cache_read', 'cache_write')}


def _amount(rates):
    """Half up, as the ledger rounds. What is divided may be less than 0, and both engines round that up, not down."""
    whole = ' + '.join(f'records.{bucket} * ({rate} * prices.multiplier / {_PARTS})' for bucket, rate in rates.items())
    rest = ' + '.join(f'records.{bucket} * ({rate} * prices.multiplier % {_PARTS})' for bucket, rate in rates.items())
    shift = 10**11
    return f'{whole} + ({rest} + {_PARTS // 2} + {shift * _PARTS}) / {_PARTS} - {shift}'


_COST = (
    f'{_amount(_PRICES)} + CASE WHEN records.failed AND records.uncached_input = 0 AND records.cache_read = 0 '
    'AND records.cache_write = 0 AND records.output = 0 AND records.reasoning = 0 AND records.unclassified = 0 '
    'THEN 0 ELSE prices.per_request END'
)
_SAVED = (
    'CASE WHEN records.cost_nanousd IS NULL THEN NULL '
    'WHEN records.cache_read = 0 AND records.cache_write = 0 THEN 0 '
    f'WHEN records.cost_nanousd = {_COST} THEN {_amount(_SAVES)} END'
)


def _make_anew(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if connection.vendor == 'postgresql':
            cursor.execute('ALTER TABLE usage_usagerecord DROP CONSTRAINT record_once')  # its name is wanted again
        for name in ('UsageRecord', *_SUMS):
            model = apps.get_model('usage', name)
            table, old = model._meta.db_table, f'{model._meta.db_table}_before'
            cursor.execute(f'ALTER TABLE {table} RENAME TO {old}')
            _put_in_place(model._meta.local_fields)
            schema_editor.create_model(model)
            if name == 'UsageRecord':
                _copying._go_on_counting(cursor, connection.vendor)
                if connection.vendor == 'postgresql':
                    _copying._fill_index_of_ids(cursor)
            _copy(cursor, model, old)
            cursor.execute(f'DROP TABLE {old}')
            if connection.vendor == 'postgresql':
                cursor.execute(f'ANALYZE {table}')


def _put_in_place(fields):
    for new, before in _BEHIND.items():
        for field in [field for field in fields if field.name == new]:
            fields.remove(field)
            fields.insert([field.name for field in fields].index(before) + 1, field)


def _copy(cursor, model, old):
    columns = [field.column for field in model._meta.concrete_fields]
    if model._meta.model_name == 'usagerecord':
        values = {column: f'records.{column}' for column in columns} | {'saved_nanousd': _SAVED}
        source = f'{old} AS records LEFT JOIN usage_modelprice AS prices ON prices.id = records.price_id'
    else:
        values = {column: '0' if column in _BEHIND else f'records.{column}' for column in columns}
        source = f'{old} AS records'
    order = ', '.join(f'records.{field.column}' for field in model._meta.pk_fields)
    cursor.execute(
        f'INSERT INTO {model._meta.db_table} ({", ".join(columns)}) '
        f'SELECT {", ".join(values[column] for column in columns)} FROM {source} ORDER BY {order}'
    )


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0012_compact_distributions'),
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
        migrations.SeparateDatabaseAndState(
            [],
            [
                migrations.AddField(
                    model_name='usagerecord',
                    name='saved_nanousd',
                    field=models.BigIntegerField(null=True, verbose_name='saved by the cache (nano-USD)'),
                ),
                *(
                    migrations.AddField(
                        model_name=name,
                        name='saved_nanousd',
                        field=models.BigIntegerField(default=0, verbose_name='saved by the cache (nano-USD)'),
                    )
                    for name in _SUMS
                ),
                *(
                    migrations.AddField(
                        model_name=name,
                        name='unused_failures',
                        field=models.IntegerField(default=0, verbose_name='failed without usage'),
                    )
                    for name in _SUMS
                ),
            ],
        ),
        migrations.RunPython(_make_anew, elidable=False),
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
