# Mozilla's certificate authorities in one file, where nixpkgs' `cacert` has it.
{ builders, debian }:
builders.runCommand "cacert" { } ''
  mkdir -p $out/etc/ssl/certs
  cat ${debian.ca-certificates}/share/ca-certificates/mozilla/*.crt > $out/etc/ssl/certs/ca-bundle.crt
  cp -a ${debian.ca-certificates}/share $out/share
  chmod -R u+w $out/share
  rm -rf $out/share/ca-certificates
''
