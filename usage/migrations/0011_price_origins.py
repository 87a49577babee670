from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0010_price_conditions'),
    ]

    operations = [
        migrations.AlterField(
            model_name='modelprice',
            name='origin',
            field=models.CharField(choices=[('manual', 'Manual'), ('genai-prices', 'genai-prices'), ('models.dev', 'models.dev'), ('litellm', 'LiteLLM')], default='manual', editable=False, max_length=20, verbose_name='origin'),
        ),
    ]
