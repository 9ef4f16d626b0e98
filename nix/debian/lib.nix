# The functions of nixpkgs' `lib` that the flake uses, with the same names and meanings.
builtins
// rec {
  genAttrs =
    names: f:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = f name;
      }) names
    );
  filterAttrs =
    keep: set:
    builtins.removeAttrs set (builtins.filter (name: !keep name set.${name}) (builtins.attrNames set));
  mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
  imap =
    f: list:
    builtins.genList (index: f (index + 1) (builtins.elemAt list index)) (builtins.length list);
  foldr =
    f: end: list:
    if list == [ ] then end else f (builtins.head list) (foldr f end (builtins.tail list));
  nameValuePair = name: value: { inherit name value; };
  mapAttrs' = f: set: builtins.listToAttrs (map (name: f name set.${name}) (builtins.attrNames set));
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: list: if condition then list else [ ];
  optionalString = condition: text: if condition then text else "";
  concatMapStringsSep =
    separator: f: list:
    builtins.concatStringsSep separator (map f list);
  optionalAttrs = condition: set: if condition then set else { };
  unique = builtins.foldl' (
    seen: item: if builtins.elem item seen then seen else seen ++ [ item ]
  ) [ ];
  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      start = builtins.stringLength text - builtins.stringLength suffix;
    in
    start >= 0 && builtins.substring start (-1) text == suffix;
  removePrefix =
    prefix: text:
    if hasPrefix prefix text then builtins.substring (builtins.stringLength prefix) (-1) text else text;
  stringToCharacters =
    text: builtins.genList (index: builtins.substring index 1 text) (builtins.stringLength text);
  toLower = builtins.replaceStrings (stringToCharacters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (
    stringToCharacters "abcdefghijklmnopqrstuvwxyz"
  );
  makeBinPath = concatMapStringsSep ":" (path: "${path}/bin");
  escapeShellArg = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  importJSON = path: builtins.fromJSON (builtins.readFile path);
  cleanSourceWith =
    {
      src,
      filter,
      name ? "source",
    }:
    builtins.path {
      path = src;
      inherit filter name;
    };
  throwIf =
    condition: message: value:
    if condition then throw message else value;
  throwIfNot = condition: throwIf (!condition);
}
