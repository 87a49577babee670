from itertools import groupby
from operator import itemgetter

from django.db import migrations

# Kinds of usage/ingest/distribution.py: by day, source, model and key; by day, model and key.
_OF_ALL, _OF_KEY_AND_MODEL = 4, 10


def _fill(apps, schema_editor):
    """Of the days of all dimensions, which there are of pruned records too. Two distributions in a row are one of both; the
    housekeeping makes them shorter.
    """
    table = apps.get_model('usage', 'UsageDistribution')._meta.db_table
    state = apps.get_model('usage', 'DistributionState').objects
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT DISTINCT bucket FROM {table} WHERE kind = {_OF_ALL} ORDER BY 1')
        days = [bucket for (bucket,) in cursor.fetchall()]
        for day in days:
            cursor.execute(
                f'SELECT model_id, api_key_id, latency, ttft FROM {table} '
                f'WHERE kind = {_OF_ALL} AND bucket = {day} ORDER BY 1, 2'
            )
            rows = []
            for key, parts in groupby(cursor.fetchall(), itemgetter(0, 1)):
                latencies, ttfts = zip(*((latency, ttft) for *_key, latency, ttft in parts))
                rows.append((*key, b''.join(map(bytes, latencies)), b''.join(map(bytes, ttfts))))
            cursor.executemany(
                f'INSERT INTO {table} (kind, bucket, source_id, model_id, api_key_id, latency, ttft) '
                f'VALUES ({_OF_KEY_AND_MODEL}, {day}, 0, %s, %s, %s, %s)',
                rows,
            )
    for one in state.all():
        one.compacted_until, one.change = 0, one.change + 1
        one.save()


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0031_more_sums_of_keys_and_failures'),
    ]

    operations = [migrations.RunPython(_fill, migrations.RunPython.noop)]
