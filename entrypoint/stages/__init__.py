"""The boot sequence: a module for each stage, named as in docs/boot.md."""
