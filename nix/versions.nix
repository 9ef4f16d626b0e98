# Which of a package set's Pythons and PostgreSQLs everything is made with: another one is chosen here, and nowhere else.
pkgs: {
  # 3.13, or where a set has dropped that, a newer one. nixpkgs has names of those that it has no longer, too.
  python =
    let
      has = name: pkgs ? ${name} && (builtins.tryEval pkgs.${name}.version).success;
    in
    pkgs.${
      builtins.head (
        builtins.filter has [
          "python313"
          "python314"
          "python3"
        ]
      )
    };
  postgresql = pkgs.postgresql_17;
}
