"""gunicorn's settings, for the boot sequence (docs/boot.md) and for gunicorn alone:

`gunicorn --config gunicorn_config.py config.wsgi:application`. Of the variables only gunicorn's own is read here; the
boot sequence reads the others, and those that are set win over this file.
"""

import os

bind = "0.0.0.0:8000"
workers = int(os.environ.get("WEB_CONCURRENCY") or len(os.sched_getaffinity(0)) * 2 + 1)
timeout = 140
graceful_timeout = 8  # Docker kills after 10
accesslog = errorlog = "-"
preload_app = True  # one import, and memory shared between workers
worker_tmp_dir = "/dev/shm"  # heartbeats must not wait for a disk, nor need a writable /tmp
control_socket_disable = True  # it would be made below $HOME, which may be read-only
