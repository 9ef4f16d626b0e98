# `nix develop`: Python with the project's packages, PostgreSQL, linters and tests; manage.py on local settings.
{ pkgs, development }:
pkgs.mkShell {
  packages = [ development.environment ] ++ development.programs;
  # DJANGO_SETTINGS_MODULE is not set: manage.py takes the local settings by itself, and the tests their own.
  # Nix makes a folder for temporary files that nobody else may enter, and leaves it behind. Root's PostgreSQL is
  # somebody else.
  shellHook = "unset TMPDIR TEMPDIR TMP TEMP NIX_BUILD_TOP";
}
