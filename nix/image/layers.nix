# Layers of store paths, as nixpkgs' `layeringPipeline` describes them: from the lowest, each has its packages and all that
# these need, as far as no lower one has it; the topmost has the rest.
{
  lib,
  # A list of lists of packages.
  layers,
}:
lib.foldr (
  packages: rest:
  [
    [
      "subcomponent_out"
      packages
    ]
  ]
  ++ lib.optional (rest != [ ]) [
    "over"
    "rest"
    [
      "pipe"
      rest
    ]
  ]
) [ ] layers
