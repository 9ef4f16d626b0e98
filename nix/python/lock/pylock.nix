# pylock.toml (PEP 751): a list of packages, each with the condition under which it is installed.
{
  lib,
  pythonFullVersion,
  machine,
  tags,
}:
{
  # Its name, and what mends it.
  file ? "pylock.toml",
  remedy ? "make it anew",
}:
{
  # pylock.toml as values; pyproject.toml too.
  lock,
  pyproject,
  # The folder of the lock, which its paths are relative to.
  folder,
  # Chosen groups, or null for the default ones; chosen extras.
  groups,
  extras,
}:
let
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

  version = lock.lock-version or null;
  environments = texts "its head" "environments" lock;

  chosenExtras = map normalize extras;
  knownExtras = map normalize (texts "its head" "extras" lock);
  defaultGroups = texts "its head" "default-groups" lock;
  chosenGroups = map normalize (
    if groups == null then lib.filter (group: group != "dev") defaultGroups else groups
  );
  knownGroups = map normalize (texts "its head" "dependency-groups" lock ++ defaultGroups);
  unknown =
    lib.filter (name: !(lib.elem name knownExtras)) chosenExtras
    ++ lib.filter (name: !(lib.elem name knownGroups)) chosenGroups;

  holds = marker {
    origin = file;
    extras = chosenExtras;
    groups = chosenGroups;
  };
  # Whether the Python that something is for is this one.
  takesPython =
    where: set:
    let
      wanted = text where "requires-python" "" set;
      clauses = specifier.read wanted;
    in
    if clauses == null then
      throw "${file} has for `requires-python` \"${wanted}\" in ${where}, which is no version: ${remedy}."
    else if specifier.contains clauses pythonFullVersion then
      true
    else
      throw "${file} is for Python ${wanted} (${where}), and this one is ${pythonFullVersion}: ${remedy} for this one.";

  packages =
    map
      (
        package:
        let
          name = normalize (needed "a package" "name" package);
        in
        {
          inherit name package;
          version = text name "version" null package;
          where = if builtins.isString (package.version or null) then "${name} ${package.version}" else name;
          condition = text name "marker" null package;
          directory = table name "directory" package;
        }
      )
      (
        if lock ? packages then
          tables "its head" "packages" lock
        else
          throw "${file} has no list of packages: ${remedy}."
      );
  isProject =
    package:
    package.name == normalize (pyproject.project.name or "")
    && lib.elem (package.directory.path or null) [
      "."
      "./"
    ];
  selected = builtins.groupBy (package: package.name) (
    lib.filter (
      package: (package.condition == null || holds package.condition) && !(isProject package)
    ) packages
  );

  result =
    package:
    let
      inherit (package) name where directory;
      entry = package.package;
      archive =
        entry:
        let
          url = text where "url" null entry;
          path = text where "path" null entry;
          hashes = table where "hashes" entry;
          hashed = lib.filter (algorithm: hashes ? ${algorithm}) ([ "sha256" ] ++ builtins.attrNames hashes);
          algorithm = lib.head hashed;
        in
        {
          inherit url path;
          file =
            if entry ? name then
              text where "name" null entry
            else if path == null && url == null then
              throw "${file} has a file of ${where} without name, path and url: ${remedy}."
            else
              archives.baseName (if path == null then url else path);
          hash = if hashed == [ ] then null else "${algorithm}:${text where algorithm null hashes}";
        };
      vcs = table where "vcs" entry;
      direct = lib.filter (kind: entry ? ${kind}) [
        "vcs"
        "directory"
        "archive"
      ];
      # A single file, or several to choose from.
      single = archive (table where "archive" entry);
      isWheel = entry ? archive && lib.hasSuffix ".whl" single.file;
      wheels = if isWheel then [ single ] else map archive (tables where "wheels" entry);
      wheel = archives.choose package where wheels;
      sdist =
        if entry ? sdist then
          archives.finish where (archive (table where "sdist" entry))
        else if entry ? archive && !isWheel then
          archives.finish where single
        else
          null;
      versionOfWheel = if wheel == null then "0" else (tags wheel.file).version;
    in
    if builtins.length direct > 1 || (direct != [ ] && (entry ? sdist || entry ? wheels)) then
      throw "${file} has several sources for ${where}: ${remedy}."
    else if entry ? vcs && text where "type" null vcs != "git" then
      throw "${file} has ${where} from a version control system that is not Git: ${remedy} with a wheel of it."
    else if entry ? vcs && !(vcs ? url && vcs ? commit-id) then
      throw "${file} has for ${where} a Git repository without `url` or `commit-id`: ${remedy}."
    else if entry ? directory && !(directory ? path) then
      throw "${file} has for ${where} a directory without its `path`: ${remedy}."
    else if !(entry ? vcs || entry ? directory) && wheel == null && sdist == null then
      throw "${file} has no wheel of ${where} for Python ${pythonFullVersion} on ${machine} Linux, and no source distribution: choose another version of it, and ${remedy}."
    else
      builtins.seq (takesPython where entry) {
        inherit name wheel sdist;
        # A folder's version may be known only when it is built.
        version = if package.version == null then versionOfWheel else package.version;
        source =
          if entry ? directory then
            { path = text where "path" null directory; }
          else if entry ? vcs then
            {
              git = text where "url" null vcs;
              rev = text where "commit-id" null vcs;
            }
            // (if vcs ? subdirectory then { subdirectory = text where "subdirectory" null vcs; } else { })
          else
            null;
        requires = lib.filter (other: other != name && selected ? ${other}) (
          lib.unique (
            map (dependency: normalize (needed "a dependency of ${where}" "name" dependency)) (
              tables where "dependencies" entry
            )
          )
        );
      };
  one =
    name:
    let
      found = selected.${name};
    in
    if builtins.length found > 1 then
      throw "${file} has ${name} several times for this Python: ${remedy}."
    else
      result (lib.head found);

  # Of another lock, by `nixw lock --from`; it names what it was made of.
  changed = lib.filter (
    source:
    source ? path
    && source ? sha256
    && builtins.pathExists (folder + "/${source.path}")
    && builtins.hashFile "sha256" (folder + "/${source.path}") != source.sha256
  ) (lock.tool.nixw.made-from or [ ]);

  # The lock has no copy of what pyproject.toml asked for, but must have what it asks for now.
  read = import ../requirement.nix {
    inherit lib pythonFullVersion machine;
    allowAddress = true;
  };
  asked =
    let
      ofExtra = pyproject.project.optional-dependencies or { };
      chosen = lib.filter (name: lib.elem (normalize name) chosenExtras) (builtins.attrNames ofExtra);
    in
    (pyproject.project.dependencies or [ ]) ++ lib.concatMap (name: ofExtra.${name}) chosen;
  unmet = lib.filter (
    line:
    let
      requirement = read line;
      found = lib.head selected.${requirement.name};
    in
    requirement.applies
    && requirement.name != normalize (pyproject.project.name or "")
    && !(
      selected ? ${requirement.name}
      && (
        requirement.isAddress
        || found.version == null
        || specifier.contains requirement.clauses found.version
      )
    )
  ) asked;
in
if !(builtins.isString version) then
  throw "${file} has no `lock-version`: ${remedy}."
else if builtins.match "1(\\.[0-9]+)?" version == null then
  throw "${file} has the lock version ${version}, and only version 1.0 can be read: ${remedy} in that."
else if environments != [ ] && !(lib.any holds environments) then
  throw "${file} is not for ${machine} Linux and Python ${pythonFullVersion}: ${remedy} with that among its `environments`."
else if unknown != [ ] then
  throw "${file} has neither an extra nor a group ${lib.head unknown}: correct the name, or ${remedy} with it."
else if changed != [ ] then
  throw "${file} is older than ${(lib.head changed).path}: run `nixw lock --from` again."
else if takesPython "its head" lock && unmet != [ ] then
  throw "${file} is older than pyproject.toml: it does not have \"${lib.head unmet}\". For what pyproject.toml says now, ${remedy}."
else
  map one (builtins.attrNames selected)
