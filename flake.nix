{
  description = "Django projects as reproducible, non-root, layered OCI images";

  # The package set. On networks without GitHub, `./nixw` puts ./nix/debian in its place.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  # Nothing, unless `./nixw` builds: Nix keeps the commit from a flake whose inputs are replaced, so it comes this way.
  inputs.nixw.follows = "";

  outputs =
    {
      self,
      nixpkgs,
      nixw,
    }:
    let
      inherit (nixpkgs) lib;
      # One result for each system that the package set has.
      forEachSystem =
        f:
        lib.genAttrs
          (lib.filter (system: nixpkgs.legacyPackages ? ${system}) [
            "x86_64-linux"
            "aarch64-linux"
            "x86_64-darwin"
            "aarch64-darwin"
          ])
          (
            system:
            f (
              import ./nix/outputs {
                inherit self system;
                revision = nixw.revision or self.rev or self.dirtyRev or "dirty";
                pkgs = nixpkgs.legacyPackages.${system};
                # Images are Linux's, whoever builds them; and the set of the other architecture, if there is one.
                linux = nixpkgs.legacyPackages.${builtins.replaceStrings [ "darwin" ] [ "linux" ] system};
                other =
                  nixpkgs.legacyPackages.${
                    if lib.hasPrefix "x86_64-" system then "aarch64-linux" else "x86_64-linux"
                  } or null;
              }
            )
          );
    in
    {
      # The images, and what they are made of.
      packages = forEachSystem (project: project.packages);

      # `nix run`: the backend on a PostgreSQL of its own.
      apps = forEachSystem (project: project.apps);

      # `nix develop`: Python, PostgreSQL, linters, tests.
      devShells = forEachSystem (project: project.devShells);

      # `nix flake check`: every test that needs no container engine.
      checks = forEachSystem (project: project.checks);

      # `nix fmt`
      formatter = forEachSystem (project: project.formatter);

      # The image of any Django project: nix/mk-django-image.nix says what it takes.
      lib.mkDjangoImage =
        {
          revision ? null,
          ...
        }@arguments:
        import ./nix/mk-django-image.nix (
          arguments // { revision = if revision != null then revision else nixw.revision or null; }
        );

      # `nix flake init -t`: a project to begin with.
      templates.default = {
        path = ./templates/default;
        description = "A Django project with its image";
      };
    };
}
