# What a package of a lock is made of, as a store path: its wheel, else its source distribution, a folder of the project or a
# Git repository.
{
  pkgs,
  # From ./lock: the folder that paths in it are relative to.
  lock,
}:
package:
let
  inherit (pkgs) lib;
  inherit (package) name source;
  isWheel = package.wheel != null;
  archive = if isWheel then package.wheel else package.sdist;

  # NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl, or NAME-VERSION.EXTENSION
  part = builtins.elemAt (
    if isWheel then
      builtins.match "([^-]+)-([^-]+)-(.*-)?([^-]+)-([^-]+)-([^-]+)\\.whl" archive.file
    else
      builtins.match "(.*)-([^-]+)\\.(tar\\.[a-z0-9]+|tgz|zip)" archive.file
  );
  path = lock.folder + "/${archive.path}";
  ofArchive =
    if archive.path != null then
      lib.throwIfNot (builtins.hashFile "sha256" path == archive.sha256)
        "${lock.file} names ${archive.path} with another SHA-256 than the file has: lock again."
        (
          builtins.path {
            name = archive.file;
            inherit path;
          }
        )
    else if archive.url != null then
      pkgs.fetchurl {
        name = archive.file;
        inherit (archive) url sha256;
      }
    else
      # Where a lock names no address, the file is where the package set has the Python index.
      pkgs.fetchPypi (
        {
          pname = part 0;
          version = part 1;
          inherit (archive) sha256;
        }
        // (
          if isWheel then
            {
              format = "wheel";
              dist = part 3;
              python = part 3;
              abi = part 4;
              platform = part 5;
            }
          else
            { extension = part 2; }
        )
      );
  repository = builtins.fetchGit {
    url = source.git;
    inherit (source) rev;
    allRefs = true;
  };
in
if source == null then
  ofArchive
else if source ? git then
  if source ? subdirectory then "${repository}/${source.subdirectory}" else repository
else
  builtins.path {
    inherit name;
    path = lock.folder + "/${source.path}";
  }
