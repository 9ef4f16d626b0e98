# What a lock has for each system. Those of x86_64 are its own fields, those of another one are below the system's name.
lock:
let
  needed = "run `nixw relock` in the project's folder.";
in
rec {
  # Whether it has packages for the system: it may be older than that, or something is not to be had for it.
  has = system: system == "x86_64-linux" || (lock ? ${system} && !(lock.${system} ? refused));

  for =
    system:
    if system == "x86_64-linux" then
      lock
    else if has system then
      lock // lock.${system}
    else
      throw (
        lock.${system}.refused or "The Debian set's lock has no packages for ${system}: ${needed}"
      );
}
