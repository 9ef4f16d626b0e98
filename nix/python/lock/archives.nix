# What a lock says of a package's files: which of its wheels is installed, and what the files' hashes are.
{ lib, tags }:
{
  file,
  remedy,
  # The folder of the lock, which its paths are relative to.
  folder,
}:
let
  specifier = import ../specifier.nix { inherit lib; };
  readVersion = import ../version.nix { inherit lib; };

  # The hash as the hexadecimal number alone. A file of the project need not have one, but must be the locked one.
  sha256Of =
    where: archive: isThere:
    let
      found = builtins.match "sha256:([0-9a-fA-F]{64})" archive.hash;
      locked = lib.toLower (lib.head found);
      actual = builtins.hashFile "sha256" (folder + "/${archive.path}");
    in
    if archive.hash == null && isThere then
      actual
    else if archive.hash == null then
      throw "${file} has no hash for ${archive.file} of ${where}, so what is fetched could be anything: ${remedy}."
    else if found == null then
      throw "${file} has for ${archive.file} of ${where} the hash \"${archive.hash}\", which is no SHA-256 in hexadecimal: ${remedy}."
    else if isThere && locked != actual then
      throw "${file} has another hash for ${archive.file} of ${where} than the file ${archive.path} has: ${remedy}."
    else
      locked;

  # Whether the file is the package's. Which version a path has may be known only when it is built.
  belongs =
    package: said:
    specifier.normalize said.name == package.name
    && (
      package.version == null
      || said.version == package.version
      || (read said.version != null && read said.version == read package.version)
    );
  # What makes a difference between versions, of which 1.0 and 1.00 are one.
  read =
    text:
    let
      version = readVersion text;
    in
    if version == null then
      null
    else
      {
        inherit (version) key local;
      };

  better =
    found: said:
    found == null || said.rank < found.rank || (said.rank == found.rank && said.build > found.build);
in
rec {
  # The last part of an address or a path. In addresses, "+" and "!" of a version may be written as numbers.
  baseName =
    address:
    builtins.replaceStrings [ "%2B" "%2b" "%21" ] [ "+" "+" "!" ] (
      builtins.elemAt (builtins.match "([^?#]*/)?([^/?#]*)([?#].*)?" address) 1
    );

  # As it is handed on: the file's name, where it is, and its hash. What is neither at an address nor at a path of
  # the project, the index has by that name and hash.
  finish =
    where: archive:
    let
      isThere = archive.path != null && builtins.pathExists (folder + "/${archive.path}");
    in
    if builtins.match "[A-Za-z0-9+._?=-][A-Za-z0-9+._?=!-]*\\.(whl|tar\\.[a-z0-9]+|tgz|zip)" archive.file == null then
      throw "${file} has a file of ${where} named \"${archive.file}\", which is no wheel's name nor a source distribution's: ${remedy}."
    else
      {
        inherit (archive) file url;
        path = if isThere then archive.path else null;
        sha256 = sha256Of where archive isThere;
      };

  # The wheel that pip would install here, null if none fits.
  choose =
    package: where: wheels:
    let
      read =
        wheel:
        let
          said = tags wheel.file;
        in
        if said == null then
          throw "${file} has a wheel of ${where} named \"${wheel.file}\", which is no wheel's name: ${remedy}."
        else
          said // { inherit wheel; };
      chosen = builtins.foldl' (
        found: wheel:
        let
          said = read wheel;
        in
        if said.rank != null && better found said then said else found
      ) null wheels;
    in
    if chosen == null then
      null
    else if !(belongs package chosen) then
      throw "${file} has for ${where} the wheel ${chosen.wheel.file}, which is another package's or version's: ${remedy}."
    else
      finish where chosen.wheel;
}
