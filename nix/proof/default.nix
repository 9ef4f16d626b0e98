# `nix run .#verify`: is an image in a registry what its revision builds? `nix run .#diff`: what has changed between two?
{ pkgs }:
let
  python = import ../registry/python.nix { inherit pkgs; };
  # Called with skopeo, the certificates of a machine that has none, and more words before the command line.
  program =
    name: words:
    pkgs.writeShellScriptBin name ''
      export PYTHONPATH=${../registry}
      exec ${python}/bin/python3 ${./.}/${name}.py ${pkgs.skopeo}/bin/skopeo ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt ${words} "$@"
    '';
in
{
  verify = program "verify" "";
  diff = program "diff" "${../image/oci.py}";
}
