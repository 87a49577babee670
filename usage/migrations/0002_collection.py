import django.db.models.deletion
import usage.models.fields
import usage.models.instance
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CollectionState',
            fields=[
                ('instance', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='collection', serialize=False, to='usage.instance', verbose_name='CPA server')),
                ('booked', models.BigIntegerField(default=0, verbose_name='records booked')),
                ('duplicates', models.BigIntegerField(default=0, verbose_name='duplicates dropped')),
                ('quarantined', models.BigIntegerField(default=0, verbose_name='payloads quarantined')),
                ('last_received_at', usage.models.fields.InstantField(null=True, verbose_name='last answer booked')),
                ('last_requested_at', usage.models.fields.InstantField(null=True, verbose_name='last record')),
                ('snapshot_details', models.BigIntegerField(default=0)),
            ],
            options={
                'verbose_name': 'collection state',
                'verbose_name_plural': 'collection states',
            },
        ),
        migrations.CreateModel(
            name='CollectorProcess',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='process')),
                ('role', models.CharField(choices=[('leading', 'Collecting'), ('standby', 'Standing by')], max_length=10, verbose_name='role')),
                ('started_at', usage.models.fields.InstantField(verbose_name='started')),
                ('seen_at', usage.models.fields.InstantField(verbose_name='last seen')),
            ],
            options={
                'verbose_name': 'collector',
                'verbose_name_plural': 'collectors',
            },
        ),
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='reconciliation', serialize=False, to='usage.account', verbose_name='account')),
                ('since', usage.models.fields.InstantField(verbose_name='since')),
                ('checked_at', usage.models.fields.InstantField(verbose_name='compared')),
                ('counted', models.BigIntegerField(default=0, verbose_name='counted by CPA')),
                ('booked', models.BigIntegerField(default=0, verbose_name='booked')),
                ('missing', models.BigIntegerField(default=0, verbose_name='missing')),
                ('unrecorded', models.BigIntegerField(default=0, verbose_name='counted, but never recorded')),
                ('counter', models.BigIntegerField()),
                ('sum_booked', models.BigIntegerField()),
                ('day', usage.models.fields.InstantField()),
                ('ceiling', models.BigIntegerField()),
            ],
            options={
                'verbose_name': 'reconciliation',
                'verbose_name_plural': 'reconciliations',
            },
        ),
        migrations.AddField(
            model_name='instance',
            name='clock_offset_seconds',
            field=models.IntegerField(editable=False, null=True, verbose_name='clock offset (s)'),
        ),
        migrations.AddField(
            model_name='instance',
            name='full_polls',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='instance',
            name='mode',
            field=models.CharField(choices=[('auto', 'Automatic'), ('subscribe', 'Subscription'), ('queue', 'Usage queue'), ('legacy', 'Usage snapshot')], default='auto', help_text='A subscription shows records within a second, but takes them from every other reader of the queue.', max_length=10, verbose_name='collection mode'),
        ),
        migrations.AddField(
            model_name='instance',
            name='polls',
            field=models.CharField(blank=True, editable=False, max_length=90),
        ),
        migrations.AddField(
            model_name='instance',
            name='retention_seconds',
            field=models.PositiveIntegerField(editable=False, null=True, verbose_name='CPA keeps records (s)'),
        ),
        migrations.AddField(
            model_name='instance',
            name='way',
            field=models.CharField(blank=True, choices=[('', 'Not at all'), ('subscription', 'Subscription (RESP)'), ('http_queue', 'Usage queue (HTTP)'), ('resp_queue', 'Usage queue (RESP)'), ('snapshot', 'Usage snapshot (HTTP)')], default='', editable=False, max_length=20, verbose_name='taken by'),
        ),
        migrations.AlterField(
            model_name='instance',
            name='base_url',
            field=models.CharField(help_text='Where CPA listens, such as http://127.0.0.1:8317', max_length=300, unique=True, validators=[usage.models.instance._validate_base_url], verbose_name='URL'),
        ),
        migrations.AlterField(
            model_name='instance',
            name='state',
            field=models.CharField(choices=[('new', 'Not asked yet'), ('ok', 'Collecting'), ('statistics_off', 'Usage statistics are off'), ('key_rejected', 'Management key rejected'), ('banned', 'Banned by CPA'), ('remote_off', 'Remote management is off'), ('management_off', 'Management is off'), ('unsupported', 'No way to collect'), ('unreachable', 'Unreachable'), ('faulty', 'Faulty answers'), ('disk_full', 'Disk full')], default='new', editable=False, max_length=20, verbose_name='state'),
        ),
        migrations.AlterField(
            model_name='usagerecord',
            name='alias',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='usage.modelname', verbose_name='requested as'),
        ),
        migrations.AlterField(
            model_name='usagerecord',
            name='api_key',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='usage.apikey', verbose_name='API key'),
        ),
        migrations.AlterField(
            model_name='usagerecord',
            name='model',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='usage.modelname', verbose_name='model'),
        ),
        migrations.AlterField(
            model_name='usagerecord',
            name='source',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='usage.source', verbose_name='source'),
        ),
        migrations.AlterField(
            model_name='usagerecord',
            name='traits',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='usage.requesttraits', verbose_name='request traits'),
        ),
        migrations.CreateModel(
            name='CollectorEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', usage.models.fields.InstantField(db_index=True, verbose_name='time')),
                ('level', models.CharField(choices=[('ok', 'OK'), ('info', 'Info'), ('warn', 'Warning'), ('fail', 'Failure')], max_length=10, verbose_name='level')),
                ('message', models.TextField()),
                ('params', models.JSONField(default=dict)),
                ('instance', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='usage.instance', verbose_name='CPA server')),
            ],
            options={
                'verbose_name': 'collector event',
                'verbose_name_plural': 'collector events',
                'ordering': ['-at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='JobRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job', models.CharField(max_length=40, verbose_name='job')),
                ('driver', models.CharField(choices=[('collector', 'Collector'), ('cron', 'Cron'), ('command', 'Command')], max_length=10, verbose_name='started by')),
                ('started_at', usage.models.fields.InstantField(verbose_name='started')),
                ('finished_at', usage.models.fields.InstantField(null=True, verbose_name='finished')),
                ('outcome', models.CharField(choices=[('running', 'Running'), ('ok', 'Done'), ('failed', 'Failed')], default='running', max_length=10, verbose_name='outcome')),
                ('result', models.TextField(blank=True, verbose_name='result')),
                ('params', models.JSONField(default=dict)),
            ],
            options={
                'verbose_name': 'job run',
                'verbose_name_plural': 'job runs',
                'ordering': ['-started_at', '-id'],
                'indexes': [models.Index(fields=['job', '-started_at'], name='job_latest')],
            },
        ),
        migrations.CreateModel(
            name='CollectionGap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', usage.models.fields.InstantField(verbose_name='from')),
                ('until', usage.models.fields.InstantField(verbose_name='to')),
                ('cause', models.CharField(choices=[('away', 'We were away longer than CPA keeps records'), ('restarted', 'CPA was restarted and forgot what it held'), ('dropped', 'CPA dropped the subscription because it was read too slowly'), ('answer_lost', 'An answer was lost on its way'), ('killed', 'The collector died while an answer was on its way'), ('second_reader', 'Another program seems to read the same queue'), ('statistics_off', 'Usage statistics were off in CPA')], max_length=20, verbose_name='cause')),
                ('lost', models.BigIntegerField(null=True, verbose_name='records lost (estimate)')),
                ('is_measured', models.BooleanField(default=False, verbose_name='measured')),
                ('acknowledged_at', usage.models.fields.InstantField(blank=True, null=True, verbose_name='acknowledged')),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='gaps', to='usage.instance', verbose_name='CPA server')),
            ],
            options={
                'verbose_name': 'collection gap',
                'verbose_name_plural': 'collection gaps',
                'ordering': ['-since', '-id'],
                'indexes': [models.Index(fields=['until'], name='gap_until')],
                'constraints': [models.UniqueConstraint(fields=('instance', 'cause', 'since'), name='gap_identity')],
            },
        ),
    ]
