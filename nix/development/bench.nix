# The benchmark: it boots what the image boots, from the same store paths.
{ pkgs, image }:
let
  inherit (import ../versions.nix pkgs) postgresql;

  modules = pkgs.runCommand "benchmark" { } ''
    mkdir $out
    cp -r ${../../bench} $out/bench
    cp ${../run}/*.py $out/
    mkdir $out/deploy
    cp ${../../deploy/haproxy.cfg} $out/deploy/haproxy.cfg
  '';
  # What the image starts, and with which variables. Unlike the image's archive it keeps these store paths alive.
  configuration = pkgs.writeText "image-configuration.json" (builtins.toJSON image.config);
in
# PostgreSQL's programs are its own: what it boots finds programs where the image's PATH says.
pkgs.writeShellScriptBin "bench" ''
  export PATH=${postgresql}/bin:${pkgs.haproxy}/bin:$PATH PYTHONPATH=${modules} PYTHONDONTWRITEBYTECODE=1
  exec ${image.environment}/bin/python3 -m bench \
    --image ${image} --configuration ${configuration} --project ${image.project} \
    --push ${image.push}/bin/push "$@"
''
