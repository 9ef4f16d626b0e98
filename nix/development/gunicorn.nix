# The lowest gunicorn that the server is made for, as entrypoint/server/versions.py has it: a wheel of its own, for the package
# sets and the project's lock have a newer one.
{ pkgs, python }:
let
  pname = "gunicorn";
  version = "23.0.0";
  sha256 = "ec400d38950de4dfd418cff8328b2c8faed0edb0d517d3394e457c317908ca4d";

  gunicorn = python.pkgs.buildPythonPackage {
    inherit pname version;
    format = "wheel";
    src = pkgs.fetchPypi {
      inherit pname version sha256;
      format = "wheel";
      dist = "py3";
      python = "py3";
      abi = "none";
      platform = "any";
    };
    dependencies = [ python.pkgs.packaging ];
  };
in
{
  # What its tests run with.
  environment = python.buildEnv.override {
    extraLibs = [
      gunicorn
      python.pkgs.django
      python.pkgs.psycopg2
      python.pkgs.pytest
    ];
  };

  # What `nixw` puts into the store for it.
  seeds = [
    {
      name = pname;
      file = "${pname}-${version}-py3-none-any.whl";
      inherit version sha256;
    }
  ];
}
