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
      pkgs = nixpkgs.legacyPackages.x86_64-linux;
      image = django-image.lib.mkDjangoImage {
        inherit pkgs;
        src = ./.;
        settingsModule = "mysite.settings";
        revision = self.rev or "dirty";
      };
    in
    {
      # nix build .#image && docker load < result
      packages.x86_64-linux = {
        inherit image;
        default = image;
      };
      # nix run: without a container, on a PostgreSQL of its own.
      apps.x86_64-linux.default = {
        type = "app";
        program = "${image.run}/bin/run";
      };
    };
}
