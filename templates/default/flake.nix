{
  description = "A Django project as an OCI image";

  # Where mkDjangoImage comes from. `nixw`, called from its checkout, puts that checkout here and fetches nothing; for
  # plain `nix`, write the address of your copy of the repository: git+https://HOST/PATH, or git+file:///PATH.
  inputs.django-image.url = "git+file:///path/to/django-image";
  inputs.nixpkgs.follows = "django-image/nixpkgs";

  outputs =
    {
      self,
      nixpkgs,
      django-image,
    }:
    let
      # One result for each system that the package set has.
      forEachSystem =
        f:
        nixpkgs.lib.genAttrs (nixpkgs.lib.filter (system: nixpkgs.legacyPackages ? ${system}) [
          "x86_64-linux"
          "aarch64-linux"
        ]) (system: f nixpkgs.legacyPackages.${system});
      imageFor =
        pkgs:
        django-image.lib.mkDjangoImage {
          inherit pkgs;
          src = ./.;
          settingsModule = "mysite.settings";
          revision = self.rev or self.dirtyRev or null;
        };
    in
    {
      # nix build .#image && docker load < result
      packages = forEachSystem (pkgs: rec {
        image = imageFor pkgs;
        default = image;
      });
      # nix run: without a container, on a PostgreSQL of its own.
      apps = forEachSystem (pkgs: {
        default = {
          type = "app";
          program = "${(imageFor pkgs).run}/bin/run";
          meta.description = "The project on a PostgreSQL of its own";
        };
      });
    };
}
