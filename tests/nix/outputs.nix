# Every output for every system, evaluated on a package set that has what nixpkgs.nix lists, and nothing else. The value is a
# list of what is missing; what asks for something else fails to evaluate.
{ self }:
let
  systems = [
    "x86_64-linux"
    "aarch64-linux"
    "x86_64-darwin"
    "aarch64-darwin"
  ];
  on =
    minor:
    (import ../../flake.nix).outputs {
      inherit self;
      nixpkgs = {
        lib = (import ./nixpkgs.nix { system = "x86_64-linux"; }).lib;
        legacyPackages = builtins.listToAttrs (
          map (system: {
            name = system;
            value = import ./nixpkgs.nix { inherit system minor; };
          }) systems
        );
      };
      nixw = { };
    };

  # Derivations and programs are what they are made of; so nothing that matters stays unevaluated.
  evaluated =
    output:
    builtins.concatMap (
      system:
      builtins.concatMap (
        name:
        let
          value = output.${system}.${name};
        in
        if value.type == "app" then
          builtins.seq (builtins.toString value.program) (
            if value.meta.description == "" then [ "${system}.${name}.meta.description" ] else [ ]
          )
        else
          builtins.seq value.drvPath [ ]
        # That is what evaluates this.
      ) (builtins.filter (name: name != "outputs") (builtins.attrNames output.${system}))
    ) systems;

  flake = on "13";

  # A project whose lock has a wheel with compiled code and a source distribution; on a Mac, what runs without a container.
  compiled =
    system: machine:
    let
      image = flake.lib.mkDjangoImage {
        pkgs = import ./nixpkgs.nix { inherit system machine; };
        src = ./compiled;
        settingsModule = "shop.settings";
      };
    in
    if builtins.match ".*-linux" system != null then image else image.run;
  lacking =
    output: system: names:
    map (name: "${output}.${system}.${name}") (
      builtins.filter (name: !(flake.${output}.${system} ? ${name})) names
    );
in
builtins.concatLists (
  [
    (evaluated flake.packages)
    (evaluated flake.apps)
    (evaluated flake.devShells)
    (evaluated flake.checks)
    # A set whose only Python is a newer one.
    (evaluated (on "14").packages)
  ]
  ++ map (system: builtins.seq flake.formatter.${system}.drvPath [ ]) systems
  ++ map (system: builtins.seq (compiled system system).drvPath [ ]) systems
  # As with `pkgsCross`.
  ++ [ (builtins.seq (compiled "aarch64-linux" "x86_64-linux").drvPath [ ]) ]
  ++ builtins.concatMap (system: [
    (lacking "packages" system [
      "image"
      "image-amd64"
      "image-arm64"
      "oci-index"
    ])
    (lacking "apps" system [ "default" ])
    (lacking "devShells" system [ "default" ])
    (lacking "checks" system [
      "lint"
      "entrypoint"
      "backend"
    ])
  ]) systems
)
