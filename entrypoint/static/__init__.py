"""The directory of static files: its lock, what is known of its contents, how files get into it."""
