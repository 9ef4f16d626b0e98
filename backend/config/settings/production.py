"""Production: PostgreSQL only, never DEBUG, nothing secret by default; docs/boot.md lists the variables."""

import os

from config import log
from config.database import postgresql
from config.env import Environment
from config.settings import base
from config.settings.base import *

# core.apps refuses to start when a module made from this one turns DEBUG on or changes the engine.
PRODUCTION = True

env = Environment(os.environ)

DEBUG = False
if env.flag("DEBUG", False):
    env.problem("DEBUG is on: unset it, for production never shows its insides (config.settings.local does).")

SECRET_KEY = env.secret_key("SECRET_KEY")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", wildcard=True)
CORS_ALLOWED_ORIGINS = env.origins("CORS_ALLOWED_ORIGINS")

DATABASES = postgresql(env)
READ_ONLY = env.flag("READ_ONLY", False)
for name in ("DATABASE_URL", "DATABASE_ENGINE", "DB_ENGINE", "DJANGO_DB_ENGINE", "SQL_ENGINE"):
    # Such a variable is not read; but whoever asks for SQLite must not believe to have got it.
    if "sqlite" in os.environ.get(name, "").lower():
        env.problem(f"{name} asks for SQLite: unset it, for production runs on PostgreSQL only.")

LOGGING = log.configuration(env, base.LOGS_DIR)

HTTPS_ONLY = env.flag("HTTPS_ONLY", True)
SECURE_SSL_REDIRECT = HTTPS_ONLY
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS_ONLY else 0
# These two decide for a whole domain, and browsers remember it: only for whoever asks for it.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD", False)
if SECURE_HSTS_PRELOAD and not SECURE_HSTS_INCLUDE_SUBDOMAINS:
    env.problem(
        "HSTS_PRELOAD is on, which takes in subdomains: turn on HSTS_INCLUDE_SUBDOMAINS too, or unset it."
    )
if HTTPS_ONLY:
    # TLS ends at a proxy; without its word every request would be redirected for ever. The proxy must set
    # X-Forwarded-Proto itself, whatever the client sent. A client that gets past the proxy and claims
    # https only spares itself the redirect: the header grants no access.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

env.refuse_problems()
