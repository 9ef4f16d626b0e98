# Version specifiers (PEP 440, "Version specifiers"), such as `>=1.2,<2`, and the names that they belong to.
{ lib }:
let
  # What a list of texts without the regular expressions' groups in between is.
  split = separator: string: lib.filter builtins.isString (builtins.split separator string);
  strip = string: lib.head (builtins.match "[[:space:]]*(.*[^[:space:]]|)[[:space:]]*" string);
  # The items of a list with commas.
  words = string: lib.filter (word: word != "") (map strip (split "," string));

  readVersion = import ./version.nix { inherit lib; };

  # Whether a version begins with these numbers; those that it does not have are 0.
  startsWith =
    numbers: version:
    numbers == builtins.genList (
      index: if index < builtins.length version.release then builtins.elemAt version.release index else 0
    ) (builtins.length numbers);
  allButLast = list: builtins.genList (builtins.elemAt list) (builtins.length list - 1);

  # Whether a version satisfies one clause.
  holds =
    versionText: clause:
    let
      version = readVersion versionText;
      wanted = clause.version;
      # Before 5.2 is not one of its own pre-releases, of which a development release is the first.
      first = if wanted.isPre then wanted else readVersion "${clause.wanted}.dev0";
      postReleaseOfWanted =
        version.isPost && !wanted.isPost && !wanted.isDev && version.original == wanted.original;
      inFamily = numbers: version.epoch == wanted.epoch && startsWith numbers version;
      same =
        if clause.isFamily then
          inFamily wanted.release
        else
          version.key == wanted.key && (wanted.local == null || wanted.local == version.local);
    in
    if clause.operator == "===" then
      lib.toLower versionText == lib.toLower clause.wanted
    else
      version != null
      && {
        "==" = same;
        "!=" = !same;
        "<" = version.key < first.key;
        # After 1.0 is not one of its own post-releases.
        ">" = version.key > wanted.key && !postReleaseOfWanted;
        "<=" = version.key <= wanted.key;
        ">=" = version.key >= wanted.key;
        "~=" = version.key >= wanted.key && inFamily (allButLast wanted.release);
      }
      .${clause.operator};
in
rec {
  inherit split strip words;

  # "Names and normalization" of the packaging guide; it is also the attribute in the package sets.
  normalize = string: lib.concatMapStringsSep "-" lib.toLower (split "[-_.]+" string);

  # Operator and version of one clause, such as `>=1.2` or `==1.2.*`; null for what is none.
  readClause =
    clause:
    let
      found = builtins.match "[[:space:]]*(===|==|~=|!=|<=|>=|<|>)[[:space:]]*([^[:space:]]*)[[:space:]]*" clause;
      operator = lib.head found;
      wanted = builtins.elemAt found 1;
      family =
        if
          lib.elem operator [
            "=="
            "!="
          ]
        then
          builtins.match "(.*)\\.\\*" wanted
        else
          null;
      version = readVersion (if family == null then wanted else lib.head family);
      isRead =
        version != null
        # Local versions have no order, and only releases have a family.
        && (
          lib.elem operator [
            "=="
            "!="
          ]
          || version.local == null
        )
        && (family == null || !(version.isPre || version.isPost || version.local != null))
        && (operator != "~=" || builtins.length version.release > 1);
    in
    if found == null || (operator != "===" && !isRead) then
      null
    else
      {
        inherit operator wanted version;
        isFamily = family != null;
      };

  # The clauses of `>=1.2,<2`; null if one of them is none.
  read =
    text:
    let
      clauses = map readClause (words text);
    in
    if lib.elem null clauses then null else clauses;

  # Whether a version satisfies all clauses, pre-releases too.
  contains = clauses: version: lib.all (holds version) clauses;

  # Who names a pre-release asks for them. Without any clause, whatever there is will do.
  admits =
    clauses: version:
    let
      isPre = (readVersion version).isPre or false;
    in
    clauses == [ ]
    || !isPre
    || lib.any (
      clause: clause.operator == "===" || (clause.operator != "!=" && clause.version.isPre)
    ) clauses;
}
