# Environment markers (PEP 508, and those of lock files, PEP 751): `python_version < "3.14" and extra == "s3"`. They are
# judged for Linux and CPython, as Python's `packaging` judges them.
{
  lib,
  # All of it, such as "3.13.5".
  pythonFullVersion,
  # As the kernel calls it: "x86_64", "aarch64".
  machine,
}:
let
  specifier = import ./specifier.nix { inherit lib; };
  inherit (specifier) normalize;

  values = {
    implementation_name = "cpython";
    implementation_version = pythonFullVersion;
    os_name = "posix";
    platform_machine = machine;
    platform_python_implementation = "CPython";
    # The kernel that will run the image is not known: what asks for one does not hold.
    platform_release = "";
    platform_system = "Linux";
    platform_version = "";
    python_full_version = pythonFullVersion;
    python_version = lib.head (builtins.match "([0-9]+\\.[0-9]+).*" pythonFullVersion);
    sys_platform = "linux";
  };
  # Older names, which are still read.
  aliases = {
    "os.name" = "os_name";
    "sys.platform" = "sys_platform";
    "platform.version" = "platform_version";
    "platform.machine" = "platform_machine";
    "platform.python_implementation" = "platform_python_implementation";
    "python_implementation" = "platform_python_implementation";
  };
  areVersions = [
    "implementation_version"
    "platform_release"
    "python_full_version"
    "python_version"
  ];
  areSets = [
    "extras"
    "dependency_groups"
  ];

  contains = part: string: part == "" || builtins.replaceStrings [ part ] [ "" ] string != string;

  # Comparison of two texts; null where the operator compares versions alone.
  compareTexts =
    operator: left: right:
    {
      "==" = left == right;
      "!=" = left != right;
      # Texts have no order.
      "<" = false;
      "<=" = left == right;
      ">" = false;
      ">=" = left == right;
      "in" = contains left right;
      "not in" = !contains left right;
    }
    .${operator} or null;

  tokenize =
    text:
    builtins.split "(\"[^\"]*\"|'[^']*'|[()]|===|==|~=|!=|<=|>=|<|>|[A-Za-z_][A-Za-z0-9_.]*)" text;
in
{
  # Begins the sentence about a marker that cannot be read, such as "pyproject.toml".
  origin,
  # The chosen extras and groups, normalized.
  extras ? [ ],
  groups ? [ ],
}:
text:
let
  fail = throw "${origin} has the condition \"${text}\", which is no environment marker: write it as VARIABLE == 'VALUE', joined by `and`, `or` and parentheses.";

  parts = tokenize text;
  # Whatever lies between the words must be blank.
  isClean = lib.all (part: builtins.isList part || builtins.match "[[:space:]]*" part != null) parts;
  tokens = map lib.head (lib.filter builtins.isList parts);
  count = builtins.length tokens;
  token = index: if index < count then builtins.elemAt tokens index else null;

  # Each of these reads from one place on, and gives the value and the place behind it.
  any = readMany "or" (left: right: left || right) all;
  all = readMany "and" (left: right: left && right) term;
  readMany =
    word: join: readOne: start:
    let
      continue =
        left:
        if token left.next != word then
          left
        else
          let
            right = readOne (left.next + 1);
          in
          continue {
            value = join left.value right.value;
            inherit (right) next;
          };
    in
    continue (readOne start);
  term =
    start:
    let
      inner = any (start + 1);
    in
    if token start != "(" then
      comparison start
    else if token inner.next != ")" then
      fail
    else
      {
        inherit (inner) value;
        next = inner.next + 1;
      };
  comparison =
    start:
    let
      left = operand (token start);
      isNot = token (start + 1) == "not";
      operator =
        if !isNot then
          token (start + 1)
        else if token (start + 2) == "in" then
          "not in"
        else
          fail;
      width = if isNot then 2 else 1;
      right = operand (token (start + 1 + width));
    in
    if
      lib.elem operator [
        "==="
        "=="
        "~="
        "!="
        "<="
        ">="
        "<"
        ">"
        "in"
        "not in"
      ]
      && left ? variable != right ? variable
    then
      {
        value = judge left operator right;
        next = start + 2 + width;
      }
    else
      fail;
  operand =
    word:
    let
      quoted = builtins.match "[\"'](.*)[\"']" word;
      variable = aliases.${word} or word;
    in
    if word == null then
      fail
    else if quoted != null then
      { text = lib.head quoted; }
    else if values ? ${variable} || lib.elem variable ([ "extra" ] ++ areSets) then
      { inherit variable; }
    else
      fail;

  judge =
    left: operator: right:
    let
      variable = left.variable or right.variable;
      chosen = if variable == "dependency_groups" then groups else extras;
      wanted = normalize (left.text or right.text);
      isChosen = lib.elem wanted chosen;
      known = values.${variable};
      clause = specifier.readClause "${operator}${right.text or known}";
      compared = compareTexts operator (left.text or known) (right.text or known);
    in
    if variable == "extra" then
      {
        "==" = isChosen;
        "!=" = !isChosen;
      }
      .${operator} or fail
    else if lib.elem variable areSets then
      if left ? variable then
        fail
      else
        {
          "in" = isChosen;
          "not in" = !isChosen;
        }
        .${operator} or fail
    else if lib.elem variable areVersions && clause != null then
      specifier.contains [ clause ] (left.text or known)
    else if compared == null then
      fail
    else
      compared;

  whole = any 0;
in
if isClean && whole.next == count then whole.value else fail
