# `nix develop`: Python with the project's packages, PostgreSQL, linters and tests; manage.py on local settings.
{ pkgs, development }:
pkgs.mkShell {
  packages = [ development.environment ] ++ development.programs;
  # Byte code and caches of the tools stay out of the tree's history by .gitignore.
  DJANGO_SETTINGS_MODULE = "config.settings.local";
  # Nix makes a folder for temporary files that nobody else may enter, and leaves it behind. Root's PostgreSQL is
  # somebody else.
  shellHook = "unset TMPDIR TEMPDIR TMP TEMP NIX_BUILD_TOP";
}
