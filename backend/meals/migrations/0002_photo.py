import django.core.validators
from django.db import migrations, models

import meals.photos


class Migration(migrations.Migration):
    dependencies = [("meals", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="meal",
            name="photo",
            field=models.FileField(
                blank=True,
                default="",
                max_length=200,
                upload_to="meals/%Y/%m",
                validators=[
                    django.core.validators.FileExtensionValidator(["jpg", "jpeg", "png", "gif", "webp"]),
                    meals.photos.validate_photo,
                ],
            ),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="meal",
            index=models.Index(fields=["-eaten_at", "-id"], name="meal_eaten_at"),
        ),
    ]
