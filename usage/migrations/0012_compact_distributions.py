from django.db import migrations, models

_TABLE = "usage_usagedistribution"
# Of a day and a model, and of a day (usage/ingest/distribution.py).
_DAY_BY_MODEL, _DAY = 0, 9


def add_days(apps, schema_editor):
    """What a day tells is what its models tell, one after the other."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT bucket FROM {_TABLE} WHERE kind = %s", [_DAY_BY_MODEL])
        for (bucket,) in cursor.fetchall():
            cursor.execute(f"SELECT latency, ttft FROM {_TABLE} WHERE kind = %s AND bucket = %s", [_DAY_BY_MODEL, bucket])
            latencies, ttfts = (b"".join(map(bytes, parts)) for parts in zip(*cursor.fetchall()))
            cursor.execute(
                f"INSERT INTO {_TABLE} (kind, bucket, source_id, model_id, api_key_id, latency, ttft) "
                "VALUES (%s, %s, 0, 0, 0, %s, %s)",
                [_DAY, bucket, latencies, ttfts],
            )


class Migration(migrations.Migration):
    dependencies = [("usage", "0011_price_origins")]

    operations = [
        migrations.AddField(
            model_name="distributionstate", name="compacted_until", field=models.BigIntegerField(default=0)
        ),
        migrations.RunPython(add_days, migrations.RunPython.noop),
    ]
