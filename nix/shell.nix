# `nix develop`: Python with the project's packages, PostgreSQL, linters and tests; manage.py on local settings.
{ pkgs, development }:
pkgs.mkShell {
  packages = [ development.environment ] ++ development.programs;
  # Byte code and caches of the tools stay out of the tree's history by .gitignore.
  DJANGO_SETTINGS_MODULE = "config.settings.local";
}
