"""gunicorn, as the boot sequence sets it up."""
