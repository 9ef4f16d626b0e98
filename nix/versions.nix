# Which of a package set's Pythons and PostgreSQLs everything is made with: another one is chosen here, and nowhere else.
pkgs: {
  python = pkgs.python313;
  postgresql = pkgs.postgresql_17;
}
