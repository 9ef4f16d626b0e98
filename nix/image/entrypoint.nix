# The boot sequence, byte-compiled. Which Python runs it is the image's to say: the project's environment.
{
  pkgs,
  # The Python that it is compiled for.
  python,
  # The project's environment.
  environment,
}:
let
  # What a boot need not compress.
  compressed =
    pkgs.runCommand "compressed" { }
      "${python.pythonOnBuildForHost}/bin/python3 ${./compress.py} $out ${environment}/lib/python3*/site-packages";
  source = pkgs.lib.cleanSourceWith {
    src = ../../entrypoint;
    name = "source";
    filter = path: _: baseNameOf path != "__pycache__";
  };
in
pkgs.runCommand "entrypoint" { meta.mainProgram = "entrypoint"; } ''
  mkdir -p $out/bin
  cp -r ${source} $out/entrypoint
  chmod -R u+w $out/entrypoint
  chmod +x $out/entrypoint/bin/entrypoint
  ln -s ../entrypoint/bin/entrypoint $out/bin/entrypoint
  ln -s ${compressed} $out/compressed
  PYTHONHASHSEED=0 ${python.pythonOnBuildForHost}/bin/python3 -m compileall -q --invalidation-mode unchecked-hash $out/entrypoint
''
