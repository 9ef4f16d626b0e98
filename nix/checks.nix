# `nix flake check`: linters, and every test that needs no container engine. They run in Nix's sandbox, which has no network
# but its own loopback.
{
  pkgs,
  self,
  development,
  image,
  project,
}:
let
  inherit (pkgs) lib;

  # The tree without what the tests do not read, so that a change of a page of documentation repeats no test.
  source = lib.cleanSourceWith {
    src = self;
    name = "source";
    filter =
      path: _:
      !(lib.elem (lib.removePrefix "${self}/" path) [
        ".ci"
        "README.md"
        "deploy"
        "flake.lock"
        "tests/container"
      ]);
  };

  check =
    name: command:
    pkgs.runCommand name
      {
        nativeBuildInputs = [ development.environment ] ++ development.programs;
        LANG = "C.UTF-8";
      }
      ''
        cp -r ${source} source
        chmod -R u+w source
        cd source
        export HOME=$PWD/.home
        mkdir $HOME
        # A failing test must fail the build, though its output goes through a pipe.
        if ! { ${command}; } > log 2>&1; then
          cat log >&2
          exit 1
        fi
        cat log
        cp log $out
      '';

  pytest = folder: "python -m pytest -q -p no:cacheprovider ${folder}";
in
{
  lint = check "lint" "ruff check && ruff format --check && mypy";
  entrypoint = check "entrypoint" (pytest "tests/entrypoint");
  backend = check "backend" (pytest "tests/backend");
  image = check "image" "IMAGE=${image} SOURCE=${project.source} ${pytest "tests/image"}";
}
