"""The boot sequence of a Django container: configure, wait, migrate, collect, (superuser), serve.

It drives any Django project: the project is the working directory, and nothing here knows its name.
The contract that its users hold it to is docs/boot.md.
"""
