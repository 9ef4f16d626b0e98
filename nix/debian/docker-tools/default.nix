# `dockerTools` as nixpkgs' manual describes it, as far as the flake uses it.
{
  lib,
  # Of the machine that builds.
  builders,
  busybox,
  debian,
  python,
  # Of images, in Go's words.
  defaultArchitecture,
}:
let
  image = "${python}/bin/python3 -S ${./image.py}";

  # Everything about an image but how it is packed.
  prepare =
    {
      # Name and tag, as in `docker run NAME:TAG`. Without a tag, it is the hash of the image's plan.
      name,
      tag ? null,
      # Packages whose files are linked to in the image's root.
      contents ? [ ],
      # The image's configuration, in the words of the OCI image specification.
      config ? { },
      # The architecture, in Go's words.
      architecture ? defaultArchitecture,
      # When the image and its files were made: RFC 3339 in UTC.
      created ? "1970-01-01T00:00:01Z",
      mtime ? created,
      # The owner of the files in store paths.
      uid ? 0,
      gid ? 0,
      uname ? "root",
      gname ? "root",
      # How store paths are divided into layers, lowest first (image.py says which steps it knows).
      layeringPipeline,
      # A script run in the image's root, by the builder.
      extraCommands ? "",
      # The same, by a fake root: what it does to owners and modes counts.
      fakeRootCommands ? "",
      # Whether what the contents and the configuration refer to is in the image.
      includeStorePaths ? true,
    }:
    let
      links = if builtins.isList contents then contents else [ contents ];
      owner = [
        uid
        gid
        uname
        gname
      ];

      # What is in the image beside the top layer. It is made apart from that, for it seldom changes.
      # It must not change with what else the configuration says, and so holds the store paths alone.
      roots =
        let
          text = builtins.toJSON { inherit links config; };
          path = "/nix/store/[0-9a-z]{32}-[-.+_?=0-9a-zA-Z]*";
          paths = lib.unique (
            lib.concatMap (part: lib.optionals (builtins.isList part) part) (builtins.split "(${path})" text)
          );
        in
        builders.runCommand "${name}-roots" {
          text = builtins.appendContext (lib.concatStringsSep "\n" (lib.sort lib.lessThan paths)) (
            builtins.getContext text
          );
          passAsFile = [ "text" ];
        } "cp $textPath $out";
      base =
        builders.runCommand "${name}-layers"
          {
            exportReferencesGraph = [
              "graph"
              roots
            ];
            pipeline = builtins.toJSON layeringPipeline;
            passAsFile = [ "pipeline" ];
          }
          "${image} layers graph ${roots} $pipelinePath $out ${mtime} ${lib.escapeShellArgs owner}";

      # The top layer: links to the contents, and what the scripts do. Large folders are cut out of it (image.py), so that an
      # edit of the application changes little.
      custom =
        builders.runCommand "${name}-custom-layer"
          {
            inherit extraCommands fakeRootCommands;
            passAsFile = [
              "extraCommands"
              "fakeRootCommands"
            ];
          }
          ''
            mkdir -p $out root
            for package in ${lib.escapeShellArgs links}; do
              ${image} link $package root
            done
            (cd root && . $extraCommandsPath)
            key=$(${debian.fakeroot}/bin/faked-sysv)
            # Changing an owner in truth, too, would fail: a sandbox knows one user only.
            export FAKEROOTKEY=''${key%%:*} FAKEROOTDONTTRYCHOWN=1
            # Only a program that loads libraries can be told that it is root.
            export LD_PRELOAD=${debian.libfakeroot}/${debian.libraries}/libfakeroot/libfakeroot-sysv.so
            (
              export PATH=${busybox}/bin
              cd root
              ${busybox}/bin/chown -R 0:0 .
              ${busybox}/bin/sh -euc ". $fakeRootCommandsPath"
              # For whoever is told that all is root's, looking at a file takes ten times as long: so owners are asked for
              # only once. A name may have any character in it.
              ${busybox}/bin/find . -print0 > ../names
              ${busybox}/bin/find . -exec ${busybox}/bin/stat -c '%u %g %a' {} + > ../owners
            )
            unset LD_PRELOAD
            kill ''${key##*:}
            ${image} top root names owners $out ${mtime}
          '';
    in
    {
      fullName = name;
      inherit base custom;
      # Arguments of image.py that describe the whole.
      plan =
        builders.runCommand "${name}-plan.json"
          {
            exportReferencesGraph = [
              "graph"
              custom
            ];
            configuration = builtins.toJSON config;
            passAsFile = [ "configuration" ];
          }
          ''
            ${image} plan ${base} graph ${custom} $configurationPath $out ${name} ${
              if tag == null then "-" else tag
            } \
              ${architecture} ${created} ${mtime} ${lib.escapeShellArgs owner} ${
                if includeStorePaths then "yes" else "no"
              }
          '';
    };

  # A program that writes an image to standard output.
  streamed =
    name: plan:
    builders.public.writeTextFile {
      name = "stream-${name}";
      executable = true;
      text = ''
        #!${debian.bash}/bin/bash
        exec ${image} stream ${plan}
      '';
    };

  describe = arguments: extra: {
    passthru = {
      imageName = arguments.name;
      imageTag = arguments.tag or null;
    }
    // extra;
  };
in
{
  # A program that writes the image to standard output, for `docker load`.
  streamLayeredImage =
    arguments:
    let
      parts = prepare arguments;
    in
    streamed arguments.name parts.plan
    // (describe arguments {
      # Only here: layers that seldom change, each as its digest and `.gz`; and a command that writes the image without them.
      compressedLayers = parts.base;
      rest = "${image} stream ${parts.plan} rest";
    }).passthru;

  # The image as a file.
  buildLayeredImage =
    {
      # "gz", or "none".
      compressor ? "gz",
      ...
    }@arguments:
    let
      parts = prepare (builtins.removeAttrs arguments [ "compressor" ]);
      suffix =
        {
          gz = ".gz";
          none = "";
        }
        .${compressor}
          or (throw "dockerTools: there is no compressor \"${compressor}\" here; use \"gz\" or \"none\".");
    in
    builders.runCommand "${arguments.name}.tar${suffix}" (describe arguments {
      inherit (parts) plan;
    }) "${image} pack ${parts.plan} ${compressor} $out";
}
