# The bill of materials of an image, as CycloneDX. It is found in the store paths that the image is made of, whatever
# package set they are from; the programs beside this file say how.
{
  pkgs,
  # The image's name.
  name,
  # The [project] table of the application's pyproject.toml.
  metadata,
  # The packages that the project's lock names, from ../../python.
  locked,
  # The image's store paths, from closure.nix.
  closure,
}:
let
  inherit (pkgs) lib;
  inherit (import ../../versions.nix pkgs) python;

  # Of the table only what the document says, so that nothing else changes it.
  project = pkgs.writeText "project.json" (
    builtins.toJSON {
      image = name;
      inherit (metadata) name;
      version = metadata.version or null;
      description = metadata.description or null;
      license = metadata.license or null;
      files = map (package: {
        path = "${package}";
        inherit (package.archive) file sha256;
      }) (lib.filter (package: package.archive != null) locked);
      dependencies = map (text: lib.head (builtins.match "[[:space:]]*([A-Za-z0-9._-]+).*" text)) (
        metadata.dependencies or [ ]
      );
    }
  );
in
pkgs.runCommand "${baseNameOf name}.cdx.json" { } ''
  ${python}/bin/python3 -S ${./.}/sbom.py ${project} ${closure} $out
''
