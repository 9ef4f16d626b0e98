# What an architecture is called by GCC and by images, and its C library's loader of programs.
{
  x86_64-linux = {
    triple = "x86_64-linux-gnu";
    architecture = "amd64";
    loader = "ld-linux-x86-64.so.2";
  };
  aarch64-linux = {
    triple = "aarch64-linux-gnu";
    architecture = "arm64";
    loader = "ld-linux-aarch64.so.1";
  };
}
