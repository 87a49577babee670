import django.db.models.deletion
import usage.models.fields
from django.db import migrations, models

from usage.accounting.failures import MOST_CHARACTERS, message_of, normalised
from usage.ingest.dimensions import clean
from usage.redaction import redact

_AT_ONCE = 2_000
_DAY = 86_400_000_000
_KEY = ('bucket', 'status_code', 'message_id')


def _name_messages(apps, schema_editor):
    """Of the failures whose texts are kept; the sums are made of the records afterwards (usage/apps.py)."""
    Message, Record, Text = (apps.get_model('usage', name) for name in ('FailureMessage', 'UsageRecord', 'FailureText'))
    ids, last = {}, 0
    while rows := list(Text.objects.filter(pk__gt=last).order_by('pk').values_list('pk', 'text')[:_AT_ONCE]):
        last = rows[-1][0]
        records = {}
        for pk, text in rows:
            if words := clean(normalised(redact(message_of(text))), MOST_CHARACTERS):
                records.setdefault(words, []).append(pk)
        for words, pks in records.items():
            if words not in ids:
                ids[words] = Message.objects.get_or_create(text=words)[0].pk
            Record.objects.filter(pk__in=pks).update(message_id=ids[words])


def _add_to_key(apps, schema_editor):
    """A column of the primary key: the table is made anew. What is of pruned records, nobody can tell."""
    connection, model = schema_editor.connection, apps.get_model('usage', 'UsageFailures')
    table, old = model._meta.db_table, f'{model._meta.db_table}_before'
    columns = ', '.join(field.column for field in model._meta.concrete_fields)
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE {table} RENAME TO {old}')
        schema_editor.create_model(model)
        values = columns.replace('message_id', '0')
        cursor.execute(f'INSERT INTO {table} ({columns}) SELECT {values} FROM {old}')
        cursor.execute(f'DROP TABLE {old}')


def _fill_days(apps, schema_editor):
    """Of what was pruned; the others are made of the records."""
    kinds, hours = (apps.get_model('usage', name)._meta for name in ('UsageDailyFailureKinds', 'UsageFailures'))
    state = apps.get_model('usage', 'RollupState').objects.first()
    offset = state.day_offset if state else 0
    sums = [field.column for field in kinds.concrete_fields if field.column not in _KEY]
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {kinds.db_table} ({', '.join((*_KEY, *sums))}) "
            f"SELECT (bucket + {offset}) / {_DAY} * {_DAY} - {offset}, status_code, message_id, "
            f"{', '.join(f'SUM({name})' for name in sums)} FROM {hours.db_table} GROUP BY 1, 2, 3"
        )


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0019_weeks_of_keys_and_models'),
    ]

    operations = [
        migrations.CreateModel(
            name='FailureMessage',
            fields=[
                ('id', models.AutoField(primary_key=True, serialize=False)),
                ('text', models.CharField(max_length=200, unique=True, verbose_name='text')),
            ],
            options={
                'verbose_name': 'failure message',
                'verbose_name_plural': 'failure messages',
            },
        ),
        migrations.AddField(
            model_name='usagerecord',
            name='message',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='usage.failuremessage', verbose_name='message'),
        ),
        migrations.RunPython(_name_messages, elidable=False),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name='usagefailures',
                    name='message_id',
                    field=models.IntegerField(default=0, verbose_name='message'),
                ),
                migrations.AlterField(
                    model_name='usagefailures',
                    name='pk',
                    field=models.CompositePrimaryKey('bucket', 'source_id', 'model_id', 'api_key_id', 'status_code', 'message_id', blank=True, editable=False, primary_key=True, serialize=False),
                ),
            ],
        ),
        migrations.RunPython(_add_to_key, elidable=False),
        migrations.CreateModel(
            name='UsageDailyFailureKinds',
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
                ('message_id', models.IntegerField(default=0, verbose_name='message')),
                ('status_code', models.PositiveSmallIntegerField(default=0, verbose_name='status')),
                ('pk', models.CompositePrimaryKey('bucket', 'status_code', 'message_id', blank=True, editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'verbose_name': 'daily failures by kind',
                'verbose_name_plural': 'daily failures by kind',
            },
        ),
        migrations.RunPython(_fill_days, elidable=False),
    ]
