# The packages that a project's lock says: uv.lock, or pylock.toml, read as they are. What is wrong with a lock is said
# in one sentence.
{
  lib,
  # All of it, such as "3.13.5".
  pythonFullVersion,
  # As the kernel calls it: "x86_64", "aarch64".
  machine,
  # The same of the machine that builds.
  buildMachine ? machine,
  # The version of the C library that wheels find, such as "2.41".
  glibc,
}:
let
  argumentsFor = machine: {
    inherit lib pythonFullVersion machine;
    tags = import ../tags.nix {
      inherit
        lib
        pythonFullVersion
        machine
        glibc
        ;
    };
  };
  arguments = argumentsFor machine;
  readText = import ./text.nix { inherit lib; };
  builtWith = import ./built.nix {
    inherit lib readText;
    readPylock = import ./pylock.nix (argumentsFor buildMachine);
  };
  # In this order, if a project has both.
  readers = [
    {
      file = "uv.lock";
      remedy = "run `uv lock`";
      read = import ./uv.nix arguments;
    }
    {
      file = "pylock.toml";
      remedy = "make it anew";
      read = import ./pylock.nix arguments { };
    }
  ];
in
{
  # The project's folder.
  src,
  # The path of its pyproject.toml.
  pyproject,
  # Groups of dependencies; null: the default ones, without `dev`.
  groups ? null,
  # Extras of the project.
  extras ? [ ],
}:
let
  found = lib.filter (lock: builtins.pathExists lock.path) (
    lib.concatMap
      (
        folder:
        map (
          reader:
          reader
          // {
            inherit folder;
            path = folder + "/${reader.file}";
          }
        ) readers
      )
      [
        (builtins.dirOf pyproject)
        src
      ]
  );
  lock = lib.head found;
  # With a pylock.toml, a project need not have it.
  content =
    if builtins.pathExists pyproject then import ../pyproject.nix { inherit lib; } pyproject else { };
in
if found == [ ] then
  null
else
  {
    inherit (lock) file;
    # The folder that paths of packages and files are relative to.
    inherit (lock) folder;
    # Each with name (normalized), version ("0" if only its build says it), wheel and sdist (null or file, url, path,
    # sha256), source (null, or path, or git and rev) and requires (names of others); those without a wheel also with
    # build and builtWith, which ./built.nix explains.
    packages =
      map
        (builtWith {
          lock = lock.file;
          inherit (lock) folder;
          pyproject = content;
        })
        (
          lock.read {
            lock = readText { inherit (lock) file path remedy; };
            pyproject = content;
            inherit (lock) folder;
            inherit groups extras;
          }
        );
  }
