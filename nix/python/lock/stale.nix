# Whether uv.lock was made from another pyproject.toml than there is now. It has a copy of what that asked for, in its
# own words: conditions and versions are compared by their meaning here.
{
  lib,
  pythonFullVersion,
  machine,
}:
{
  file,
  remedy,
  pyproject,
  # The copy: `requires-dist` and `requires-dev`; and `requires-python`, or null.
  metadata,
  requiresPython,
}:
let
  marker = import ../marker.nix { inherit lib pythonFullVersion machine; };
  specifier = import ../specifier.nix { inherit lib; };
  read = import ../requirement.nix {
    inherit lib pythonFullVersion machine;
    allowAddress = true;
  };
  fields = import ./fields.nix { inherit lib; } { inherit file remedy; };
  inherit (specifier) normalize;

  project = pyproject.project or { };
  uv = pyproject.tool.uv or { };
  isDynamic = lib.elem "dependencies" (project.dynamic or [ ]);

  normalized =
    set:
    builtins.listToAttrs (
      map (name: {
        name = normalize name;
        value = set.${name};
      }) (builtins.attrNames set)
    );
  ofExtra = normalized (project.optional-dependencies or { });
  ofGroup = normalized (pyproject.dependency-groups or { });

  # A group's requirements, those of the groups that it includes among them.
  flatten =
    seen: group:
    lib.concatMap (
      item:
      if builtins.isString item then
        [ item ]
      else
        let
          included = normalize (item.include-group or "");
        in
        lib.optionals (!(lib.elem included seen)) (flatten (seen ++ [ included ]) included)
    ) (ofGroup.${group} or [ ] ++ lib.optionals (group == "dev") (uv.dev-dependencies or [ ]));

  ours =
    line:
    let
      requirement = read line;
    in
    {
      inherit (requirement)
        name
        extras
        clauses
        isAddress
        ;
      condition = requirement.condition;
    };
  theirs =
    requirement:
    let
      where = "requires-dist";
      clauses = specifier.read (fields.text where "specifier" "" requirement);
    in
    {
      name = fields.needed where "name" requirement;
      extras = fields.texts where "extras" requirement;
      clauses = if clauses == null then [ ] else clauses;
      condition = fields.text where "marker" null requirement;
      isAddress = lib.any (kind: requirement ? ${kind}) [
        "url"
        "git"
        "path"
        "directory"
        "editable"
        "virtual"
      ];
    };

  copied = map theirs (fields.tables "its metadata" "requires-dist" metadata);
  copiedGroups = fields.table "its metadata" "requires-dev" metadata;
  # Where a source is given, uv has that in place of a version.
  sourced =
    normalized (uv.sources or { })
    // builtins.listToAttrs (
      map
        (requirement: {
          inherit (requirement) name;
          value = null;
        })
        (lib.filter (requirement: requirement.isAddress) (copied ++ map ours (project.dependencies or [ ])))
    );

  clauseKey =
    clause:
    builtins.toJSON [
      clause.operator
      clause.isFamily
      (if clause.version == null then clause.wanted else clause.version.key)
      (clause.version.local or null)
      # Of these, 1.2 and 1.2.0 are two.
      (if clause.isFamily || clause.operator == "~=" then builtins.length clause.version.release else 0)
    ];
  show =
    requirement:
    "${requirement.name}${
      lib.optionalString (requirement.extras != [ ])
        "[${lib.concatMapStringsSep "," (extra: extra) requirement.extras}]"
    }${lib.concatMapStringsSep "," (clause: clause.operator + clause.wanted) requirement.clauses}";
  # What holds here, by what makes a difference.
  table =
    extra: requirements:
    let
      holds = marker {
        origin = "pyproject.toml";
        extras = lib.optional (extra != null) extra;
      };
    in
    builtins.listToAttrs (
      map
        (requirement: {
          name = builtins.toJSON [
            requirement.name
            (builtins.sort builtins.lessThan (map normalize requirement.extras))
            (
              if sourced ? ${requirement.name} then
                null
              else
                builtins.sort builtins.lessThan (map clauseKey requirement.clauses)
            )
          ];
          value = show requirement;
        })
        (
          lib.filter (requirement: requirement.condition == null || holds requirement.condition) requirements
        )
    );
  compare =
    here: there:
    let
      added = builtins.attrValues (builtins.removeAttrs here (builtins.attrNames there));
      removed = builtins.attrValues (builtins.removeAttrs there (builtins.attrNames here));
    in
    if added != [ ] then
      "it does not know \"${lib.head added}\""
    else if removed != [ ] then
      "it has \"${lib.head removed}\", which is not asked for like that any more"
    else
      null;

  bases = map ours (project.dependencies or [ ]);
  differences =
    map
      (
        extra:
        compare (table extra (
          bases ++ lib.optionals (extra != null) (map ours (ofExtra.${extra} or [ ]))
        )) (table extra copied)
      )
      (
        [ null ]
        ++ builtins.attrNames ofExtra
        ++ map normalize (fields.texts "its metadata" "provides-extras" metadata)
      )
    ++
      map
        (
          group:
          compare (table null (map ours (flatten [ group ] group))) (
            table null (map theirs (fields.tables "its metadata" group copiedGroups))
          )
        )
        (
          builtins.attrNames (
            copiedGroups // ofGroup // (if uv ? dev-dependencies then { dev = null; } else { })
          )
        );

  # Both are ranges, which can be written in several ways.
  pythons =
    lib.concatMap (minor: [
      "3.${minor}.0"
      "3.${minor}.99"
    ]) (map toString (builtins.genList (step: step + 6) 15))
    ++ [
      pythonFullVersion
      "2.7.18"
      "4.0.0"
    ];
  accepted =
    text:
    let
      clauses = specifier.read text;
    in
    if clauses == null then null else map (specifier.contains clauses) pythons;
  otherPython =
    requiresPython != null
    && project ? requires-python
    && accepted project.requires-python != accepted requiresPython;

  found = lib.filter (difference: difference != null) (
    lib.optional otherPython "it is for Python ${requiresPython}"
    ++ lib.optionals (!isDynamic) differences
  );
in
# The sentence, or null.
if found == [ ] then
  null
else
  "${file} is older than pyproject.toml: ${lib.head found}. For what pyproject.toml says now, ${remedy}."
