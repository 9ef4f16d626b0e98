# How things are built: nixpkgs' trivial builders, with busybox in the place of its standard environment.
{
  lib,
  # Of the machine that builds: its system, what the lock has for it, and its set's parts.
  system,
  lock,
  build,
  # Of the set: what scripts are run with.
  debian,
}:
let
  # What the machine must bring in: ./nixw puts the file into the store, where it is the output of this derivation.
  seeded =
    {
      name,
      sha256,
      mode ? "flat",
    }:
    derivation {
      inherit name system;
      outputHash = sha256;
      outputHashAlgo = "sha256";
      outputHashMode = mode;
      builder = "/bin/sh";
      args = [
        "-c"
        "echo '${name} is not in the Nix store: run ./nixw (or nix/debian/seed.py), which puts it there; what is for another architecture, with NIXW_ARCHITECTURES=all.' >&2; exit 1"
      ];
      preferLocalBuild = true;
    };

  busybox = seeded {
    name = "busybox-bootstrap";
    sha256 = lock.busybox;
    mode = "recursive";
  };

  # busybox's programs by their names.
  tools = derivation {
    name = "build-tools";
    inherit system;
    builder = "${busybox}/bin/busybox";
    args = [
      "sh"
      "-c"
      "${busybox}/bin/busybox mkdir -p $out/bin && ${busybox}/bin/busybox --install -s $out/bin"
    ];
    preferLocalBuild = true;
  };

  # A derivation whose builder is a shell script; `env` becomes its environment, as in nixpkgs.
  runCommand =
    name: env: buildCommand:
    let
      drv = derivation (
        {
          inherit name system buildCommand;
          builder = "${tools}/bin/sh";
          args = [
            "-euc"
            ". \"$buildCommandPath\""
          ];
          PATH = lib.makeBinPath ((env.nativeBuildInputs or [ ]) ++ [ tools ]);
          preferLocalBuild = true;
        }
        // builtins.removeAttrs env [
          "meta"
          "passthru"
          "nativeBuildInputs"
        ]
        // {
          passAsFile = [ "buildCommand" ] ++ (env.passAsFile or [ ]);
        }
      );
    in
    drv // { meta = env.meta or { }; } // (env.passthru or { });

  writeTextFile =
    {
      name,
      text,
      executable ? false,
      destination ? "",
    }:
    runCommand name
      {
        inherit text;
        passAsFile = [ "text" ];
        meta.mainProgram = baseNameOf destination;
      }
      ''
        mkdir -p "$(dirname "$out${destination}")"
        cp "$textPath" "$out${destination}"
        ${lib.optionalString executable ''chmod +x "$out${destination}"''}
      '';
in
{
  inherit seeded runCommand;

  # A text that build scripts read, of whose `nativeBuildInputs` this is one.
  setupHook =
    name: setupHook:
    runCommand name { inherit setupHook; } ''
      mkdir -p $out/nix-support
      printf %s "$setupHook" > $out/nix-support/setup-hook
    '';

  # Those that are part of the set's interface.
  public = {
    inherit runCommand writeTextFile;

    # Where it comes from is ./nixw's concern, whatever the address.
    fetchurl =
      {
        name ? baseNameOf url,
        url ? "",
        sha256,
      }:
      seeded { inherit name sha256; };

    writeText = name: text: writeTextFile { inherit name text; };

    writeShellScriptBin =
      name: text:
      writeTextFile {
        inherit name;
        executable = true;
        destination = "/bin/${name}";
        text = "#!${debian.bash}/bin/bash\n${text}";
      };

    # What the Python index has by this name.
    fetchPypi =
      {
        pname,
        version,
        format ? "setuptools",
        extension ? "tar.gz",
        dist ? "",
        python ? "",
        abi ? "",
        platform ? "",
        sha256,
      }:
      seeded {
        name =
          if format == "wheel" then
            "${pname}-${version}-${python}-${abi}-${platform}.whl"
          else
            "${pname}-${version}.${extension}";
        inherit sha256;
      };

    # What `rootPaths` need at run time, a line each in `store-paths`.
    closureInfo =
      { rootPaths }:
      runCommand "closure-info"
        {
          exportReferencesGraph = lib.concatLists (
            lib.imap (number: path: [
              "graph-${toString number}"
              path
            ]) rootPaths
          );
        }
        ''
          mkdir $out
          cat graph-* | grep '^/nix/store/' | grep -v '\.drv$' | sort -u > $out/store-paths
        '';

    # `remove-references-to -t STORE_PATH FILE...`
    removeReferencesTo = writeTextFile {
      name = "remove-references-to";
      executable = true;
      destination = "/bin/remove-references-to";
      text = "#!${build.python}/bin/python3\n" + builtins.readFile ./remove_references_to.py;
    };

    # A shell with `packages` on PATH. The builder is a bash and `stdenv` a folder with a file `setup`,
    # for that is what `nix develop` looks for.
    mkShell =
      {
        packages ? [ ],
        shellHook ? "",
        ...
      }@env:
      derivation (
        {
          name = "nix-shell";
          inherit system shellHook;
          builder = "${build.debian.bash}/bin/bash";
          args = [
            "-c"
            "echo a shell, to be entered with nix develop > $out"
          ];
          outputs = [ "out" ];
          stdenv = runCommand "shell-setup" { } ''
            mkdir $out
            echo 'export PATH="${lib.makeBinPath packages}:$PATH"' > $out/setup
          '';
        }
        // builtins.removeAttrs env [
          "packages"
          "shellHook"
        ]
      );
  };
}
