from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.CreateModel(
            name="DaySummary",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(unique=True)),
                ("meals", models.PositiveIntegerField(default=0)),
                ("kcal", models.PositiveBigIntegerField(default=0, verbose_name="energy (kcal)")),
                ("revision", models.PositiveIntegerField(default=0, editable=False)),
            ],
            options={
                "verbose_name_plural": "day summaries",
                "ordering": ["-day"],
            },
        ),
    ]
