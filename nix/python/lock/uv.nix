# uv.lock: the packages for all systems at once, each with what it requires under which conditions. What this Python on
# this machine takes is found by following the requirements from the project on.
{
  lib,
  pythonFullVersion,
  machine,
  tags,
}:
{
  # uv.lock as values; pyproject.toml too.
  lock,
  pyproject,
  # The folder of the lock, which its paths are relative to.
  folder,
  # Chosen groups, or null for the default ones; chosen extras.
  groups,
  extras,
}:
let
  file = "uv.lock";
  remedy = "run `uv lock`";
  fields = import ./fields.nix { inherit lib; } { inherit file remedy; };
  archives = import ./archives.nix { inherit lib tags; } { inherit file remedy folder; };
  marker = import ../marker.nix { inherit lib pythonFullVersion machine; };
  specifier = import ../specifier.nix { inherit lib; };
  inherit (specifier) normalize;
  inherit (fields)
    text
    needed
    texts
    table
    tables
    ;

  version = lock.version or null;
  requiresPython = text "its head" "requires-python" "" lock;
  pythonClauses = specifier.read requiresPython;

  # Packages have names and versions, but several can have both: from several sources.
  packages = map (
    package:
    let
      name = needed "a package" "name" package;
      where = if builtins.isString (package.version or null) then "${name} ${package.version}" else name;
    in
    {
      inherit name where;
      version = text name "version" null package;
      source = table where "source" package;
      # Lists of requirements: its own, those of its extras and those of its groups.
      own = tables where "dependencies" package;
      ofExtra = table where "optional-dependencies" package;
      ofGroup = table where "dev-dependencies" package;
      inherit package;
      id = "${where} ${builtins.toJSON (package.source or null)}";
    }
  ) (tables "its head" "package" lock);
  byName = builtins.groupBy (package: package.name) packages;
  twice = lib.head (
    lib.filter (id: builtins.length byId.${id} > 1) (builtins.attrNames byId) ++ [ null ]
  );
  byId = builtins.groupBy (package: package.id) packages;

  isLocal = source: source ? virtual || source ? editable || source ? directory;
  projectName = normalize (pyproject.project.name or "");
  project = lib.head (
    lib.filter (package: isLocal package.source) (byName.${projectName} or [ ])
    ++ [
      (throw "${file} has no package ${projectName}, which is this project's name in pyproject.toml: ${remedy}.")
    ]
  );

  chosenExtras = map normalize extras;
  defaultGroups = pyproject.tool.uv.default-groups or [ "dev" ];
  chosenGroups =
    if groups == null then
      lib.filter (group: group != "dev") (
        if defaultGroups == "all" then builtins.attrNames project.ofGroup else map normalize defaultGroups
      )
    else
      map normalize groups;
  missing =
    kind: wanted: have:
    let
      unknown = lib.filter (name: !(lib.elem name have)) wanted;
    in

    lib.throwIf (unknown != [ ])
      "${file} has no ${kind} ${lib.head unknown} of ${projectName}${
        lib.optionalString (have != [ ]) " (it has ${lib.concatMapStringsSep ", " (name: name) have})"
      }: correct the name, or ${remedy}.";
  metadata = table project.where "metadata" project.package;
  provided = lib.unique (
    builtins.attrNames project.ofExtra ++ texts "its metadata" "provides-extras" metadata
  );
  grouped = builtins.attrNames (project.ofGroup // table "its metadata" "requires-dev" metadata);
  # Of what conflicts, one at most can be had.
  conflicting = lib.filter (set: builtins.length set > 1) (
    map (
      set:
      lib.filter (
        item:
        item.package or null == projectName
        && (lib.elem (item.extra or null) chosenExtras || lib.elem (item.group or null) chosenGroups)
      ) set
    ) conflicts
  );
  conflicts =
    let
      sets = lock.conflicts or [ ];
    in
    if
      builtins.isList sets && lib.all (set: builtins.isList set && lib.all builtins.isAttrs set) sets
    then
      sets
    else
      throw "${file} has `conflicts` that are no lists of tables: ${remedy}.";

  # A package, or one of its extras or groups, as a step of the way through the lock.
  step = package: kind: name: {
    key = "${package.id} ${kind} ${name}";
    inherit package kind name;
  };
  start = [
    (step project "own" "")
  ]
  ++ map (step project "extra") chosenExtras
  ++ map (step project "group") chosenGroups;

  requirementsOf =
    {
      package,
      kind,
      name,
      ...
    }:
    if kind == "own" then
      package.own
    else if kind == "extra" then
      tables package.where name package.ofExtra
    else
      tables package.where name package.ofGroup;

  # The package that a requirement means.
  target =
    where: requirement:
    let
      name = needed "a requirement of ${where}" "name" requirement;
      candidates = lib.filter (
        package:
        (requirement.version or package.version) == package.version
        && (requirement.source or package.source) == package.source
      ) (byName.${name} or [ ]);
    in
    if candidates == [ ] then
      throw "${file} has no package ${name}${
        lib.optionalString (builtins.isString (requirement.version or null)) " ${requirement.version}"
      }, which ${where} requires: ${remedy}."
    else if builtins.length candidates > 1 then
      throw "${file} has several packages ${name} and does not say which of them ${where} requires: ${remedy}."
    else
      lib.head candidates;

  # The steps that follow, and whether conditions hold, with these extras of conflicting packages.
  walk =
    active:
    let
      follow =
        current:
        lib.concatMap (
          requirement:
          let
            where = "a requirement of ${current.package.where}";
            to = target current.package.where requirement;
            condition = text where "marker" null requirement;
            withExtras = map (step to "extra") (texts where "extra" requirement);
            # What is required with an extra may have the condition that the extra is chosen.
            holds = marker {
              origin = file;
              extras = active ++ map encode withExtras;
            } condition;
          in
          lib.optionals (condition == null || holds) ([ (step to "own" "") ] ++ withExtras)
        ) (requirementsOf current);
    in
    builtins.genericClosure {
      startSet = map (current: current // { next = follow current; }) start;
      operator = current: map (found: found // { next = follow found; }) current.next;
    };

  # Where extras or groups exclude each other, conditions name them with their package and its length. Which are chosen
  # shows only on the way, and which way is taken depends on it.
  encode =
    {
      package,
      kind,
      name,
      ...
    }:
    let
      named = "${toString (builtins.stringLength package.name)}-${package.name}";
    in
    if kind == "own" then "project-${named}" else "${kind}-${named}-${name}";
  settle =
    active: steps:
    let
      found = lib.unique (active ++ map encode steps);
    in
    if found == active then steps else settle found (walk found);
  steps = if lock ? conflicts then settle (map encode start) (walk (map encode start)) else walk [ ];

  selected = builtins.groupBy (package: package.name) (
    map (found: found.package) (
      lib.filter (
        found: found.kind == "own" && found.package.id != project.id && !(found.package.source ? virtual)
      ) steps
    )
  );
  requires = builtins.mapAttrs (
    _: found:
    lib.filter (name: selected ? ${name}) (
      builtins.attrNames (
        builtins.listToAttrs (
          map (next: {
            inherit (next.package) name;
            value = null;
          }) (lib.concatMap (current: current.next) found)
        )
      )
    )
  ) (builtins.groupBy (found: found.package.id) steps);

  # The wheels and the source distribution, and what else the package can be made of.
  result =
    package:
    let
      inherit (package) name where source;
      folder = source.editable or source.directory or null;
      git = builtins.match "([^?#]*)(\\?[^#]*)?#([0-9a-f]+)" (text where "git" "" source);
      subdirectory = builtins.match ".*[?&]subdirectory=([^&]*).*" (toString (builtins.elemAt git 1));
      # A registry may be a folder, and then paths are in it.
      registry = text where "registry" "" source;
      inRegistry =
        path:
        if registry == "" || builtins.match "[a-z+]+:.*" registry != null || lib.hasPrefix "/" path then
          path
        else
          "${registry}/${path}";
      archive =
        entry:
        let
          url = text where "url" (text where "url" null source) entry;
          path =
            if entry ? path then inRegistry (text where "path" null entry) else text where "path" null source;
          address = if url == null then path else url;
        in
        {
          inherit url path;
          file =
            if entry ? filename then
              text where "filename" null entry
            else if address == null then
              throw "${file} has a file of ${where} without an address: ${remedy}."
            else
              archives.baseName address;
          hash = text where "hash" null entry;
        };
      wheel = archives.choose package where (map archive (tables where "wheels" package.package));
      sdist =
        if package.package ? sdist then
          archives.finish where (archive (table where "sdist" package.package))
        else
          null;
    in
    {
      inherit name wheel sdist;
      # A path's version may be known only when it is built.
      version = if package.version == null then "0" else package.version;
      source =
        if folder != null then
          { path = folder; }
        else if !(source ? git) then
          null
        else if git == null then
          throw "${file} has for ${where} a Git address without a revision: ${remedy}."
        else
          {
            git = lib.head git;
            rev = builtins.elemAt git 2;
          }
          // (if subdirectory == null then { } else { subdirectory = lib.head subdirectory; });
      requires = lib.filter (other: other != name) requires.${package.id};
    }
    // (
      if folder != null || source ? git || wheel != null || sdist != null then
        { }
      else
        throw "${file} has no wheel of ${where} for Python ${pythonFullVersion} on ${machine} Linux, and no source distribution: choose another version of it, and ${remedy}."
    );
  one =
    name:
    let
      found = selected.${name};
    in
    if builtins.length found > 1 then
      throw "${file} has ${name} in several versions for this Python, ${
        lib.concatMapStringsSep " and " (package: toString package.version) found
      }: ${remedy}."
    else
      result (lib.head found);

  stale = import ./stale.nix { inherit lib pythonFullVersion machine; } {
    inherit
      file
      remedy
      pyproject
      metadata
      ;
    requiresPython =
      if builtins.length (texts "its manifest" "members" (table "its head" "manifest" lock)) > 1 then
        null
      else
        requiresPython;
  };
  supported = texts "its head" "supported-markers" lock;
in
if version == null then
  throw "${file} has no `version`: ${remedy}."
else if version != 1 then
  throw "${file} has version ${builtins.toJSON version}, and only version 1 can be read: write it with a uv that writes that, or export it with `uv export --format pylock.toml`."
else if pythonClauses == null then
  throw "${file} has for `requires-python` \"${requiresPython}\", which is no version: ${remedy}."
else if !(specifier.contains pythonClauses pythonFullVersion) then
  throw "${file} is for Python ${requiresPython}, and this one is ${pythonFullVersion}: change `requires-python` in pyproject.toml, and ${remedy}."
else if twice != null then
  throw "${file} has a package twice, ${twice}: ${remedy}."
else if supported != [ ] && !(lib.any (marker { origin = file; }) supported) then
  throw "${file} is not for ${machine} Linux and Python ${pythonFullVersion}: correct `environments` of tool.uv in pyproject.toml, and ${remedy}."
else if stale != null then
  throw stale
else if conflicting != [ ] then
  throw "${file} says that ${
    lib.concatMapStringsSep " and " (item: item.extra or item.group) (lib.head conflicting)
  } exclude each other: choose one of them."
else
  missing "extra" chosenExtras provided (
    missing "group" chosenGroups grouped (map one (builtins.attrNames selected))
  )
