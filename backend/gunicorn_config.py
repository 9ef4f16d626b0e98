"""gunicorn's settings: `gunicorn --config gunicorn_config.py config.wsgi:application`."""

import os


def number(name: str, default: int) -> int:
    value = os.environ.get(name, "").strip() or str(default)
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise SystemExit(f"{name} is {value!r}: give it a whole number greater than 0.")
    return int(value)


bind = os.environ.get("GUNICORN_BIND", "").strip() or "0.0.0.0:8000"
workers = number("WEB_CONCURRENCY", len(os.sched_getaffinity(0)) * 2 + 1)
timeout = number("GUNICORN_TIMEOUT", 140)
graceful_timeout = number("GUNICORN_GRACEFUL_TIMEOUT", 8)  # Docker kills after 10
preload_app = True  # one import, and memory shared between workers
worker_tmp_dir = "/dev/shm"  # heartbeats must not wait for a disk, nor need a writable /tmp
control_socket_disable = True  # it would be made below $HOME, which may be read-only

to_files = os.environ.get("GUNICORN_LOG_TO_FILES", "").strip().lower() or "0"
if to_files not in ("0", "false", "no", "off", "1", "true", "yes", "on"):
    raise SystemExit(f"GUNICORN_LOG_TO_FILES is {to_files!r}: give it 1 or 0.")
log_files = to_files in ("1", "true", "yes", "on")
accesslog = "logs/gunicorn_access.log" if log_files else "-"
errorlog = "logs/gunicorn_error.log" if log_files else "-"
