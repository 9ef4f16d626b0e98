# /etc of an image: who is who. What this is, distribution.nix says.
{
  pkgs,
  uid,
  gid,
}:
let
  inherit (pkgs) lib;
in
pkgs.runCommand "etc"
  {
    passwd = ''
      root:x:0:0:root:/root:/bin/sh
      django:x:${toString uid}:${toString gid}:Django:/app:/bin/sh
      nobody:x:65534:65534:nobody:/nonexistent:/bin/false
    '';
    group = ''
      root:x:0:
      ${lib.optionalString (gid != 0) "django:x:${toString gid}:"}
      nogroup:x:65534:
    '';
    nsswitch = ''
      passwd: files
      group: files
      hosts: files dns
    '';
  }
  ''
    mkdir -p $out/ssl/certs
    printf %s "$passwd" > $out/passwd
    printf %s "$group" > $out/group
    printf %s "$nsswitch" > $out/nsswitch.conf
    ln -s ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt $out/ssl/certs/ca-certificates.crt
  ''
