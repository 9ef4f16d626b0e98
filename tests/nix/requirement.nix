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
        # Pre-releases come before their release, and a specifier that names none does not ask for them.
        [ "" "5.2rc1" true ]
        [ ">=5.2" "5.2rc1" false ]
        [ ">=5.1" "5.2rc1" false ]
        [ ">=5.1" "5.2.dev3" false ]
        [ ">=5.2rc1" "5.2rc1" true ]
        [ ">=5.2rc1" "5.2b2" false ]
        [ ">=5.2rc1" "5.2" true ]
        [ ">=5.2rc1,<6" "5.2rc2" true ]
        [ "<5.2rc1" "5.2b2" true ]
        [ "<5.2" "5.2rc1" false ]
        [ "<=5.2" "5.2rc1" false ]
        [ ">=5.1a1,<5.2" "5.2rc1" false ]
        [ ">5.2a1" "5.2.dev1" false ]
        [ ">=5.2.dev1" "5.2a1" true ]
        [ ">=1.0a1.dev1" "1.0a1" true ]
        [ ">=1.0a1" "1.0a1.dev1" false ]
        [ ">=5.2a1,!=5.3" "5.2-alpha.1" true ]
        [ "==5.2rc1" "5.2.0rc1" true ]
        [ "==5.2rc1" "5.2c1" true ]
        [ "==5.2rc1" "5.2" false ]
        [ "==5.2.*" "5.2rc1" false ]
        [ "~=5.2rc1" "5.3" true ]
        [ "~=5.2rc1" "6.0" false ]
        # Post-releases come after their release, and are no later version than it.
        [ ">1.0" "1.0.post1" false ]
        [ ">1.0rc1" "1.0.post1" true ]
        [ ">1.0" "1.0.1" true ]
        [ ">1.0" "1.1.post1" true ]
        [ ">1.0.post1" "1.0.post2" true ]
        [ ">1.0.post1" "1.0.post1" false ]
        [ ">=1.0" "1.0.post1" true ]
        [ "<=1.0" "1.0.post1" false ]
        [ "==1.0" "1.0.post1" false ]
        [ "==1.0.*" "1.0.post1" true ]
        [ "~=1.0.post1" "1.1" true ]
        [ "~=2.2.post3" "2.9" true ]
        [ "~=2.2.post3" "2.2.post2" false ]
        [ ">1.0" "1.0+local" false ]
        [ "==1.0+cpu" "1.0" false ]
        [ "==1.0" "1.0+cpu" true ]
        [ "==1!1.0" "1.0" false ]
        [ ">=2.0" "1!1.0" true ]
        [ "==1.*" "1!1.0" false ]
        [ ">=2" "v2.0" true ]
        [ "===2024.01.05rc1" "2024.01.05rc1" true ]
        [ ">=2024.1.5,<2024.02" "2024.01.05" true ]
        # Some sets have commits, which are no versions of Python's kind.
        [ "" "0-unstable-2024-01-05" true ]
        [ ">=1" "0-unstable-2024-01-05" false ]
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
