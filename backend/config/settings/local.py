"""A developer's machine: SQLite, DEBUG, and nothing to set. `python manage.py runserver`."""

import os

from config import log
from config.env import Environment
from config.settings import base
from config.settings.base import *

env = Environment(os.environ)

DEBUG = True
SECRET_KEY = "django-insecure-local-only"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
CORS_ALLOW_ALL_ORIGINS = True

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": base.BASE_DIR / "db.sqlite3"}}

LOGGING = log.configuration(env, base.LOGS_DIR, default="console")

env.refuse_problems()
