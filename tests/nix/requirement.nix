# What nix/python/requirement.nix reads and judges. The value is a list of those that it gets wrong.
{ lib }:
let
  read = import ../../nix/python/requirement.nix {
    inherit lib;
    pythonVersion = "3.13";
  };

  names = [
    {
      text = "Django>=5.2,<5.3";
      is = {
        name = "django";
        extras = [ ];
        applies = true;
      };
    }
    {
      text = "Foo__Bar.baz [x, Y_z] ~= 1.2 ; python_version < '3.14' and sys_platform == \"linux\"";
      is = {
        name = "foo-bar-baz";
        extras = [
          "x"
          "y-z"
        ];
        applies = true;
      };
    }
    {
      text = "tzdata; sys_platform=='win32' or python_version < \"3.9\"";
      is = {
        name = "tzdata";
        extras = [ ];
        applies = false;
      };
    }
    {
      text = "zope (>=1.0)";
      is = {
        name = "zope";
        extras = [ ];
        applies = true;
      };
    }
  ];

  # The version, and whether it will do.
  versions =
    map
      (case: {
        text = "d${lib.head case}";
        version = builtins.elemAt case 1;
        is = builtins.elemAt case 2;
      })
      [
        [ "" "1.0" true ]
        [ ">=5.2,<5.3" "5.2.19" true ]
        [ ">=5.2,<5.3" "5.3" false ]
        [ "==5.2" "5.2.0" true ]
        [ "==5.2" "5.2.1" false ]
        [ "==5.2.*" "5.2.19" true ]
        [ "==5.2.*" "5.20" false ]
        [ "!=5.2.*" "5.2.19" false ]
        [ "~=5.2" "5.9" true ]
        [ "~=5.2" "6.0" false ]
        [ "~=5.2.1" "5.2.9" true ]
        [ "~=5.2.1" "5.3" false ]
        [ ">5.2" "5.10" true ]
        [ "<=2" "2.0+cpu" true ]
        [ "===1.0" "1.0" true ]
        [ " (>=6)" "5.2" false ]
      ];

  refused = [
    "x @ https://example.org/x.whl"
    "-r other.txt"
    ""
  ];
in
lib.filter (
  case:
  {
    inherit (read case.text) name extras applies;
  } != case.is
) names
++ lib.filter (case: (read case.text).accepts case.version != case.is) versions
++ lib.filter (text: (builtins.tryEval (read text).name).success) refused
