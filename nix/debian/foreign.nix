# Python packages for another machine than the one that builds: `buildPythonPackage`. What is of Python alone is the same for
# every architecture. A wheel with compiled code is patched, and held against the libraries that it will be loaded with. What
# would have to be compiled is refused.
{
  lib,
  builders,
  # The parts of the set of the machine that builds.
  build,
  # The others are python.nix's.
  interpreter,
  sitePackages,
  isCompiled,
  closure,
  compile,
}:
{
  pname,
  version,
  src,
  pyproject ? false,
  nativeBuildInputs ? [ ],
  buildInputs ? [ ],
  build-system ? [ ],
  preBuild ? "",
  postFixup ? "",
  dependencies ? [ ],
  optional-dependencies ? { },
  passthru ? { },
  ...
}@arguments:
let
  isPure =
    if pyproject then
      !(isCompiled src)
    else
      lib.hasSuffix "-any.whl" (builtins.unsafeDiscardStringContext "${src}");

  # As it is built for the machine that builds; and so it is the same store path, in the same layer of both images.
  same = build.python.pkgs.buildPythonPackage (
    arguments
    // lib.optionalAttrs (nativeBuildInputs != [ ]) {
      nativeBuildInputs = [ build.debian.autoPatchelfHook ];
      buildInputs = build.debian.manylinux;
    }
  );

  systems = build.python.buildEnv.override { extraLibs = build-system; };

  # Nobody looks into a source distribution before it is built: of Python alone, it needs no compiler.
  madeOfSource = ''
    mkdir wheel
    PATH=$PATH:${systems}/bin PYTHONPATH=${systems}/${sitePackages} \
      $python ${./build-wheel}/build_wheel.py ${pname} ${src} wheel ${lib.escapeShellArg preBuild} || [ $? = 1 ]
    wheel=$(echo wheel/*.whl)
    case $wheel in
      *-any.whl) ;;
      *)
        echo "${pname} ${version} is not of Python alone, and only a machine of the image's architecture compiles for it: build the image there, or lock a version that has a wheel for it." >&2
        exit 1
        ;;
    esac
  '';

  patched =
    builders.runCommand "python3-${pname}-${version}"
      {
        buildInputs = lib.optionals (!pyproject) buildInputs;
      }
      ''
        python=${build.python.interpreter}
        wheel=${src}
        ${lib.optionalString pyproject madeOfSource}
        $python ${./install_wheel.py} $wheel $out ${sitePackages}
        for input in ${
          toString (lib.optionals (!pyproject) (lib.filter (input: input ? setupHook) nativeBuildInputs))
        }; do . $input/nix-support/setup-hook; done
        [ -z "$(command -v autoPatchelf)" ] || autoPatchelf $out
        [ -e $out/nix-support/missing-foreign-libraries ] ||
          $python ${./linking.py} "$name" $out/${sitePackages} ${interpreter.interpreter}
        ${postFixup}
        ${compile "$out/${sitePackages}"}
      '';
in
(if isPure then same else patched)
// {
  inherit
    pname
    version
    src
    dependencies
    optional-dependencies
    ;
  pythonModule = interpreter;
  requiredPythonModules = closure (package: package.dependencies) dependencies;
  seeds = [ ];
}
// passthru
