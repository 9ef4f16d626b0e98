import django.core.validators
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def raise_to_zero(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Meals with negative energy were typing errors; the constraint below would refuse them."""
    apps.get_model("meals", "Meal").objects.filter(kcal__lt=0).update(kcal=0)


class Migration(migrations.Migration):
    dependencies = [("meals", "0002_photo")]

    operations = [
        migrations.RunPython(raise_to_zero, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="meal",
            name="kcal",
            field=models.IntegerField(
                validators=[django.core.validators.MinValueValidator(0)], verbose_name="energy (kcal)"
            ),
        ),
        migrations.AddConstraint(
            model_name="meal",
            constraint=models.CheckConstraint(
                condition=models.Q(("kcal__gte", 0)), name="meal_kcal_not_negative"
            ),
        ),
    ]
