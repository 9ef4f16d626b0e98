# What an image says of itself, in the OCI image specification's annotation keys.
{
  lib,
  # The image's name.
  name,
  # The [project] table of the application's pyproject.toml.
  metadata,
  # The revision of the source, or null.
  revision,
}:
let
  # The labels of a project's URLs count without case and punctuation (packaging guide, "Well-known labels").
  normal = label: lib.toLower (builtins.replaceStrings [ " " "-" "_" "." ] [ "" "" "" "" ] label);
  urls = lib.mapAttrs' (label: url: lib.nameValuePair (normal label) url) (metadata.urls or { });
in
lib.mapAttrs' (label: value: lib.nameValuePair "org.opencontainers.image.${label}" value) (
  lib.filterAttrs (_: value: value != null) {
    title = name;
    inherit revision;
    description = metadata.description or null;
    version = metadata.version or null;
    licenses = if builtins.isString (metadata.license or null) then metadata.license else null;
    source = urls.source or urls.repository or urls.sourcecode or urls.github or null;
    url = urls.homepage or null;
    documentation = urls.documentation or urls.docs or null;
  }
)
