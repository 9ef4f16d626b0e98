import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.CreateModel(
            name="Meal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("kcal", models.IntegerField(verbose_name="energy (kcal)")),
                ("eaten_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={"ordering": ["-eaten_at", "-id"]},
        ),
    ]
