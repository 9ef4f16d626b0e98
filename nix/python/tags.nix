# Which wheels this Python on this machine takes, and which of them it prefers: the compatibility tags of the packaging
# guide, in the order of pip.
{
  lib,
  # All of it, such as "3.13.5".
  pythonFullVersion,
  # As the kernel calls it: "x86_64", "aarch64".
  machine,
  # The version of the C library, such as "2.41".
  glibc,
}:
let
  minorOf = text: builtins.fromJSON (lib.head (builtins.match "[0-9]+\\.([0-9]+).*" text));
  minor = minorOf pythonFullVersion;
  python = "cp3${toString minor}";

  # Tables from a word to its place in a list.
  places =
    words:
    builtins.listToAttrs (
      builtins.genList (place: {
        name = builtins.elemAt words place;
        value = place;
      }) (builtins.length words)
    );
  # The numbers from one down to another, both included.
  down = from: to: builtins.genList (step: from - step) (if from < to then 0 else from - to + 1);

  # Wheels for an older C library run on a newer one. Only x86-64 has wheels from before 2.17.
  older = {
    "17" = "manylinux2014";
    "12" = "manylinux2010";
    "5" = "manylinux1";
  };
  platforms = places (
    lib.concatMap (
      version:
      [ "manylinux_2_${toString version}_${machine}" ]
      ++ lib.optional (older ? ${toString version}) "${older.${toString version}}_${machine}"
    ) (down (minorOf glibc) (if machine == "x86_64" then 5 else 17))
    ++ [ "linux_${machine}" ]
  );

  anyPython = map (version: "py3${version}-none") (
    [
      (toString minor)
      ""
    ]
    ++ map toString (down (minor - 1) 0)
  );
  compiled = places (
    [
      "${python}-${python}"
      "${python}-abi3"
      "${python}-none"
    ]
    ++ map (version: "cp3${toString version}-abi3") (down (minor - 1) 2)
    ++ anyPython
  );
  pure = places ([ "${python}-none" ] ++ anyPython);

  # All compiled ones come before the pure ones.
  rank =
    python: abi: platform:
    let
      kind = "${python}-${abi}";
    in
    if platform == "any" then
      if pure ? ${kind} then 1000000 + pure.${kind} else null
    else if compiled ? ${kind} && platforms ? ${platform} then
      1000 * compiled.${kind} + platforms.${platform}
    else
      null;

  split = separator: text: lib.filter builtins.isString (builtins.split separator text);
  least =
    list:
    builtins.foldl' (found: item: if found == null || item < found then item else found) null list;
in
# What a wheel's file name says: null if it is no wheel's. The lower the rank, the better; null: it does not run here.
file:
let
  parts = split "-" (lib.head (builtins.match "(.*)\\.whl" file));
  count = builtins.length parts;
  part = builtins.elemAt parts;
  build = builtins.match "([0-9]+)(.*)" (part 2);
  ranks = lib.concatMap (
    python:
    lib.concatMap (abi: map (platform: rank python abi platform) (split "\\." (part (count - 1)))) (
      split "\\." (part (count - 2))
    )
  ) (split "\\." (part (count - 3)));
in
if builtins.match ".*\\.whl" file == null || !(count == 5 || count == 6 && build != null) then
  null
else
  {
    name = part 0;
    version = part 1;
    rank = least (lib.filter (place: place != null) ranks);
    # Of two that are alike, the later build is preferred.
    build =
      if count == 5 then
        [ ]
      else
        [
          (builtins.fromJSON (lib.head (builtins.match "0*([0-9]+)" (lib.head build))))
          (builtins.elemAt build 1)
        ];
  }
