# A version of a Python package, read as PEP 440 has it; null for a text that is none.
{ lib }:
text:
let
  number =
    digits:
    # JSON has no leading zeros, and versions that are dates do.
    if digits == null || digits == "" then
      0
    else
      builtins.fromJSON (lib.head (builtins.match "0*([0-9]+)" digits));

  # The last groups: alpha, beta and candidate; post-release; development release; local version.
  parts = builtins.match "v?(([0-9]+)!)?([0-9]+(\\.[0-9]+)*)([-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]*))?(-([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]*))?([-_.]?dev[-_.]?([0-9]*))?(\\+([a-z0-9]+([-_.][a-z0-9]+)*))?" (
    lib.toLower text
  );
  part = builtins.elemAt parts;
  has = index: part index != null;

  numbers = digits: map number (builtins.filter builtins.isString (builtins.split "\\." digits));
  # 1.2 and 1.2.0 are one version.
  shortest =
    digits:
    let
      shorter = builtins.match "(.+)\\.0+" digits;
    in
    if shorter == null then digits else shortest (lib.head shorter);

  phase =
    {
      a = 0;
      b = 1;
      alpha = 0;
      beta = 1;
    }
    .${part 5} or 2;
in
if parts == null then
  null
else
  rec {
    epoch = number (part 1);
    # As written: 1.2.0 has three numbers.
    release = numbers (part 2);
    isDev = has 11;
    isPre = has 4 || isDev;
    isPost = has 7;
    local = part 14;
    # The version without what comes before or after its release.
    base = [
      epoch
      (numbers (shortest (part 2)))
    ];
    # What a post-release is one of.
    original = base ++ [
      # A development release comes before the alpha, and a release after its last candidate.
      (
        if has 4 then
          [
            phase
            (number (part 6))
          ]
        else if isDev && !isPost then
          [ (-1) ]
        else
          [ 3 ]
      )
    ];
    # The order of versions, without the local one: lists compare number by number.
    key = original ++ [
      (if isPost then number (if has 8 then part 8 else part 10) else -1)
      (
        if isDev then
          [
            0
            (number (part 12))
          ]
        else
          [ 1 ]
      )
    ];
  }
