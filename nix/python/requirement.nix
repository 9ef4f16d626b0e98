# A line of [project] dependencies (PEP 508): `Foo-Bar[baz]>=1.2,<2; python_version < "3.14"`, read as far as choosing a
# package takes.
{
  lib,
  # Such as "3.13".
  pythonVersion,
}:
text:
let
  parts = builtins.match "[[:space:]]*([A-Za-z0-9][A-Za-z0-9._-]*)[[:space:]]*(\\[([^]]*)])?[[:space:]]*\\(?([^;@)]*)\\)?[[:space:]]*(@[^;]*)?(;(.*))?" text;
  part = builtins.elemAt (
    lib.throwIf (
      parts == null || builtins.elemAt parts 4 != null
    ) "pyproject.toml asks for \"${text}\", which is no name with a version: write NAME>=VERSION." parts
  );

  # What a list of texts without the regular expressions' groups in between is.
  split = separator: string: lib.filter builtins.isString (builtins.split separator string);
  strip = string: lib.head (builtins.match "[[:space:]]*(.*[^[:space:]]|)[[:space:]]*" string);
  words =
    string:
    lib.filter (word: word != "") (map strip (split "," (if string == null then "" else string)));

  # "Names and normalization" of the packaging guide; it is also the attribute in the package sets.
  normalize = string: lib.concatMapStringsSep "-" lib.toLower (split "[-_.]+" string);

  readVersion = import ./version.nix { inherit lib; };

  # Operator and version of `>=1.2`, or of `==1.2.*`.
  readClause =
    clause:
    let
      found = builtins.match "(===|==|~=|!=|<=|>=|<|>)[[:space:]]*([^[:space:]]+)" clause;
      wanted = builtins.elemAt found 1;
      family =
        if
          builtins.elem (lib.head found) [
            "=="
            "!="
          ]
        then
          builtins.match "(.*)\\.\\*" wanted
        else
          null;
      version = readVersion (if family == null then wanted else lib.head family);
    in
    lib.throwIf (found == null || (version == null && lib.head found != "==="))
      "pyproject.toml asks for \"${text}\", and \"${clause}\" is no version."
      {
        operator = lib.head found;
        inherit wanted version;
        isFamily = family != null;
      };

  # Whether a version begins with these numbers; those that it does not have are 0.
  startsWith =
    numbers: version:
    numbers == builtins.genList (
      index: if index < builtins.length version.release then builtins.elemAt version.release index else 0
    ) (builtins.length numbers);
  allButLast = list: builtins.genList (builtins.elemAt list) (builtins.length list - 1);

  # Whether a version satisfies one clause (PEP 440, "Version specifiers").
  holds =
    versionText: clauseText:
    let
      clause = readClause clauseText;
      version = readVersion versionText;
      wanted = clause.version;
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
      versionText == clause.wanted
    else
      version != null
      && {
        "==" = same;
        "!=" = !same;
        # Before 5.2 is not one of its own pre-releases, and after 1.0 not one of its own post-releases.
        "<" = version.key < wanted.key && (wanted.isPre || !(version.isPre && version.base == wanted.base));
        ">" = version.key > wanted.key && !postReleaseOfWanted;
        "<=" = version.key <= wanted.key;
        ">=" = version.key >= wanted.key;
        "~=" = version.key >= wanted.key && inFamily (allButLast wanted.release);
      }
      .${clause.operator};

  # Who names a pre-release asks for them. Without any clause, whatever the set has will do.
  admits =
    version: clauses:
    let
      isPre = text: (readVersion text).isPre or false;
    in
    clauses == [ ]
    || !(isPre version)
    || builtins.any (
      clause: clause.operator == "===" || (clause.operator != "!=" && clause.version.isPre)
    ) (map readClause clauses);

  # Markers: comparisons, with `and` and `or` between them.
  values = {
    sys_platform = "linux";
    platform_system = "Linux";
    os_name = "posix";
    implementation_name = "cpython";
    platform_python_implementation = "CPython";
    python_version = pythonVersion;
    python_full_version = "${pythonVersion}.0";
  };
  true' =
    comparison:
    let
      found = builtins.match "[[:space:]]*([a-z_]+)[[:space:]]*(==|!=|<=|>=|<|>)[[:space:]]*[\"']([^\"']*)[\"'][[:space:]]*" comparison;
      variable = lib.head found;
      operator = builtins.elemAt found 1;
      wanted = builtins.elemAt found 2;
    in
    lib.throwIf (found == null || !values ? ${variable})
      "pyproject.toml asks for \"${text}\", whose condition cannot be judged here: write it as VARIABLE == 'VALUE' on ${
        lib.concatMapStringsSep ", " (name: name) (builtins.attrNames values)
      }, without parentheses."
      (
        if lib.hasPrefix "python_" variable then
          holds values.${variable} "${operator}${wanted}"
        else if operator == "==" then
          values.${variable} == wanted
        else
          values.${variable} != wanted
      );
  marker = part 6;
in
{
  name = normalize (part 0);
  extras = map normalize (words (part 2));
  # Whether a version of the package will do.
  accepts =
    version:
    let
      clauses = words (part 3);
    in
    builtins.all (holds version) clauses && admits version clauses;
  # Whether it is asked for at all, on Linux and this Python.
  applies =
    marker == null
    || builtins.any (
      alternative: builtins.all true' (split "[[:space:]]+and[[:space:]]+" alternative)
    ) (split "[[:space:]]+or[[:space:]]+" marker);
}
