{
  description = "A package set with the interface of nixpkgs, as far as this project uses it, made of Debian and PyPI packages";

  outputs =
    _:
    let
      lib = import ./lib.nix;
      lock = lib.importJSON ./lock.json;
      # What builds: `./nixw` writes the file on a machine that is another one.
      machine = if builtins.pathExists ./machine then builtins.readFile ./machine else "x86_64-linux";
    in
    {
      inherit lib;
      legacyPackages =
        lib.genAttrs
          (lib.filter (import ./locked.nix lock).has [
            "x86_64-linux"
            "aarch64-linux"
          ])
          (
            system:
            import ./packages.nix {
              inherit system machine lock;
            }
          );
    };
}
