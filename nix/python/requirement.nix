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
  words = string: lib.filter (word: word != "") (map strip (split "," (if string == null then "" else string)));

  # "Names and normalization" of the packaging guide; it is also the attribute in the package sets.
  normalize = string: lib.concatMapStringsSep "-" lib.toLower (split "[-_.]+" string);

  # As far as releases go: 1.2, 1.2.0 and 1.2+local are the same version.
  release =
    version:
    let
      shorter = builtins.match "(.+)(\\.0|\\+.*)" version;
    in
    if shorter == null then version else release (lib.head shorter);
  compare = left: right: builtins.compareVersions (release left) (release right);
  startsWith = prefix: version: version == prefix || lib.hasPrefix "${prefix}." version;
  upToLast = version: lib.head (builtins.match "(.*)\\.[^.]*" version);
  holds =
    version: clause:
    let
      found = builtins.match "(===|==|~=|!=|<=|>=|<|>)[[:space:]]*([^[:space:]]+)" clause;
      wanted = builtins.elemAt found 1;
      family = builtins.match "(.*)\\.\\*" wanted;
      order = compare version wanted;
      same = if family == null then order == 0 else startsWith (lib.head family) version;
    in
    lib.throwIf (found == null) "pyproject.toml asks for \"${text}\", and \"${clause}\" is no version." {
      "==" = same;
      "===" = version == wanted;
      "!=" = !same;
      "<" = order < 0;
      "<=" = order <= 0;
      ">" = order > 0;
      ">=" = order >= 0;
      "~=" = order >= 0 && startsWith (upToLast wanted) version;
    }.${lib.head found};

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
    lib.throwIf (
      found == null || !values ? ${variable}
    ) "pyproject.toml asks for \"${text}\", whose condition cannot be judged here: write it as VARIABLE == 'VALUE' on ${lib.concatMapStringsSep ", " (name: name) (builtins.attrNames values)}, without parentheses." (
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
  accepts = version: builtins.all (holds version) (words (part 3));
  # Whether it is asked for at all, on Linux and this Python.
  applies =
    marker == null
    || builtins.any (alternative: builtins.all true' (split "[[:space:]]+and[[:space:]]+" alternative)) (
      split "[[:space:]]+or[[:space:]]+" marker
    );
}
