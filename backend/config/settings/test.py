"""Tests: PostgreSQL when POSTGRES_HOST is set, else SQLite in memory; otherwise near to production."""

import os

from config import log
from config.database import postgresql
from config.env import Environment
from config.settings import base
from config.settings.base import *

env = Environment(os.environ)

DEBUG = False
SECRET_KEY = "django-insecure-tests-only"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
CORS_ALLOWED_ORIGINS = ["https://app.example.com"]

if os.environ.get("POSTGRES_HOST"):
    DATABASES = postgresql(env)
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}

# Slow on purpose in production; a test creates many users.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

LOGGING = log.configuration(env, base.LOGS_DIR)

env.refuse_problems()
