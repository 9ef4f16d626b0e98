# `nix flake check`: linters, and every test that needs no container engine. They run in Nix's sandbox, which has no network
# but its own loopback.
{
  pkgs,
  self,
  development,
  image,
  # What looks into an image, or drives it, is for Linux.
  isMac,
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
        ".editorconfig"
        ".github"
        "CHANGELOG.md"
        "CONTRIBUTING.md"
        "README.md"
        "deploy"
        "flake.lock"
        "tests/any_project"
        "tests/architectures"
        "tests/registry"
      ]);
  };

  check = checkWith development.environment;
  checkWith =
    environment: name: command:
    pkgs.runCommand name
      {
        nativeBuildInputs = [ environment ] ++ development.programs;
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

  # A project in whose folder everything lies that has no place in an image.
  untidy = import ../image/project.nix {
    inherit pkgs;
    src = ../../tests/nix/untidy;
  };

  # The project that `nix flake init -t` gives.
  template = import ../mk-django-image.nix {
    inherit pkgs;
    src = ../../templates/default;
    settingsModule = "mysite.settings";
  };

  # Evaluation tests itself: a case that is wrong is named by the failing build.
  wrong = import ../../tests/nix/requirement.nix { inherit lib; };

  rebuilt = import ../../tests/nix/added.nix { inherit lib; };

  # The flake for every system, with what it may use of nixpkgs and nothing else.
  missing = import ../../tests/nix/outputs.nix { inherit self; };

  # The labels of an image whose project says everything that labels can.
  labels = pkgs.writeText "labels.json" (
    builtins.toJSON (
      import ../image/labels.nix {
        inherit lib;
        name = "shop";
        revision = null;
        metadata = {
          version = "2.1";
          license = "MIT";
          urls = {
            "Source Code" = "https://example.org/shop.git";
            Home-Page = "https://example.org/";
            Documentation = "https://example.org/docs";
          };
        };
      }
    )
  );
in
{
  lint = check "lint" (
    "ruff check && ruff format --check && mypy"
    + lib.optionalString (pkgs ? nixfmt) " && find . -name '*.nix' -exec nixfmt --check {} +"
  );
  # Most of its tests wait: for a database, a deadline, a server.
  entrypoint = check "entrypoint" (pytest "--numprocesses 2 tests/entrypoint");
  # The server's tests with the lowest gunicorn; `entrypoint` has the newest.
  gunicorn = checkWith development.gunicorn.environment "gunicorn" (
    pytest "tests/entrypoint/test_gunicorn.py tests/entrypoint/test_boot_serve.py tests/entrypoint/test_boot_rotation.py tests/entrypoint/test_boot_metrics.py tests/entrypoint/test_slow_clients.py"
  );
  backend = check "backend" (pytest "tests/backend");
}
// lib.optionalAttrs (!isMac) {
  debian = check "debian" "PATH=$PATH:${pkgs.bashInteractive}/bin ${pytest "tests/debian"}";
  docs = check "docs" (pytest "tests/docs");
  image = check "image" "IMAGE=${image} COMPRESSED=${image.entrypoint}/compressed UNTIDY=${untidy.packageWith image.environment} LEFT_OUT=${
    pkgs.writeText "left-out.json" (builtins.toJSON untidy.leftOut)
  } ${pytest "tests/image"}";
  bench = check "bench" "BENCH=${
    import ./bench.nix { inherit pkgs image; }
  }/bin/bench ${pytest "tests/bench"}";
  sbom = check "sbom" "IMAGE=${image} SBOM=${image.sbom} LABELS=${labels} ${pytest "tests/sbom"}";
  oci = check "oci" "IMAGE=${image} OCI=${image.oci} PUSH=${image.push}/bin/push ${pytest "tests/oci"}";
  proof = check "proof" "OCI=${image.oci} REFERRERS=${image.referrers} ${pytest "tests/proof"}";
  proxy = check "proxy" "CONFIGURATION=${../../deploy/haproxy.cfg} HAPROXY=${pkgs.haproxy}/bin/haproxy ${pytest "tests/proxy"}";
  requirement = check "requirement" (
    lib.throwIfNot (
      wrong == [ ]
    ) "nix/python/requirement.nix is wrong about ${builtins.toJSON wrong}" "echo all right"
  );
  added = check "added" (
    lib.throwIfNot (rebuilt == [ ])
      "a Debian package that a project adds is not in its environment alone: ${builtins.toJSON rebuilt}"
      "echo all right"
  );
  outputs = check "outputs" (
    lib.throwIfNot (
      missing == [ ]
    ) "the flake has no ${builtins.concatStringsSep ", " missing}" "echo all right"
  );
  template = check "template" "RUN=${template.run}/bin/run PROJECT=${template.project} PYTHON=${template.environment}/bin/python3 ${pytest "tests/template"}";
}
