# What nix/python/requirement.nix reads and judges. The value is a list of those that it gets wrong.
{ lib }:
let
  read = import ../../nix/python/requirement.nix {
    inherit lib;
    pythonFullVersion = "3.13.5";
    machine = "x86_64";
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

  # A requirement, a version, and whether it will do.
  versions =
    map
      (columns: {
        text = lib.head columns;
        version = builtins.elemAt columns 1;
        is = builtins.elemAt columns 2 == "yes";
      })
      (
        lib.filter (columns: columns != null) (
          map (builtins.match "(d.*) [|] (.*) [|] (yes|no)") (
            lib.filter builtins.isString (builtins.split "\n" table)
          )
        )
      );

  table = ''
    d | 1.0 | yes
    d>=5.2,<5.3 | 5.2.19 | yes
    d>=5.2,<5.3 | 5.3 | no
    d==5.2 | 5.2.0 | yes
    d==5.2 | 5.2.1 | no
    d==5.2.* | 5.2.19 | yes
    d==5.2.* | 5.20 | no
    d!=5.2.* | 5.2.19 | no
    d~=5.2 | 5.9 | yes
    d~=5.2 | 6.0 | no
    d~=5.2.1 | 5.2.9 | yes
    d~=5.2.1 | 5.3 | no
    d>5.2 | 5.10 | yes
    d<=2 | 2.0+cpu | yes
    d===1.0 | 1.0 | yes
    d (>=6) | 5.2 | no
    # Pre-releases come before their release, and a specifier that names none does not ask for them.
    d | 5.2rc1 | yes
    d>=5.2 | 5.2rc1 | no
    d>=5.1 | 5.2rc1 | no
    d>=5.1 | 5.2.dev3 | no
    d>=5.2rc1 | 5.2rc1 | yes
    d>=5.2rc1 | 5.2b2 | no
    d>=5.2rc1 | 5.2 | yes
    d>=5.2rc1,<6 | 5.2rc2 | yes
    d<5.2rc1 | 5.2b2 | yes
    d<5.2 | 5.2rc1 | no
    d<=5.2 | 5.2rc1 | no
    d>=5.1a1,<5.2 | 5.2rc1 | no
    d>5.2a1 | 5.2.dev1 | no
    d>=5.2.dev1 | 5.2a1 | yes
    d>=1.0a1.dev1 | 1.0a1 | yes
    d>=1.0a1 | 1.0a1.dev1 | no
    d>=5.2a1,!=5.3 | 5.2-alpha.1 | yes
    d==5.2rc1 | 5.2.0rc1 | yes
    d==5.2rc1 | 5.2c1 | yes
    d==5.2rc1 | 5.2 | no
    d==5.2.* | 5.2rc1 | no
    d~=5.2rc1 | 5.3 | yes
    d~=5.2rc1 | 6.0 | no
    # Post-releases come after their release, and are no later version than it.
    d>1.0 | 1.0.post1 | no
    d>1.0rc1 | 1.0.post1 | yes
    d>1.0 | 1.0.1 | yes
    d>1.0 | 1.1.post1 | yes
    d>1.0.post1 | 1.0.post2 | yes
    d>1.0.post1 | 1.0.post1 | no
    d>=1.0 | 1.0.post1 | yes
    d<=1.0 | 1.0.post1 | no
    d==1.0 | 1.0.post1 | no
    d==1.0.* | 1.0.post1 | yes
    d~=1.0.post1 | 1.1 | yes
    d~=2.2.post3 | 2.9 | yes
    d~=2.2.post3 | 2.2.post2 | no
    d>1.0 | 1.0+local | no
    d==1.0+cpu | 1.0 | no
    d==1.0 | 1.0+cpu | yes
    d==1!1.0 | 1.0 | no
    d>=2.0 | 1!1.0 | yes
    d==1.* | 1!1.0 | no
    d>=2 | v2.0 | yes
    d===2024.01.05rc1 | 2024.01.05rc1 | yes
    d>=2024.1.5,<2024.02 | 2024.01.05 | yes
    # Some sets have commits, which are no versions of Python's kind.
    d | 0-unstable-2024-01-05 | yes
    d>=1 | 0-unstable-2024-01-05 | no
  '';

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
