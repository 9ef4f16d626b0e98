{
  description = "A package set with the interface of nixpkgs, as far as this project uses it, made of Debian and PyPI packages";

  outputs = _: {
    lib = import ./lib.nix;
    legacyPackages.x86_64-linux = import ./packages.nix { system = "x86_64-linux"; };
  };
}
