# Make $out of Debian packages, $archives: a file system for GCC (a "sysroot"), whose programs run from where they are.
mkdir unpacked
for archive in $archives; do
  member=$(ar -t "$archive" | grep '^data\.tar')
  case $member in *.xz) decompress=unxz ;; *) decompress=gunzip ;; esac
  ar -p "$archive" "$member" | $decompress | tar -x -C unpacked ./usr 2> tar.log || grep -q 'not found' tar.log
done
chmod -R u+w unpacked
mkdir "$out"
for folder in bin include lib lib64 libexec; do mv unpacked/usr/$folder "$out/"; done
ln -s . "$out/usr"
# A tool for those who write compilers, and Python itself, which is elsewhere.
rm -r "$out"/bin/*lto-dump* "$out/lib/python3.13"
# Nothing is linked with a copy of a library that can be shared: nobody would know that it is there.
find "$out/lib" -name '*.a' | while read -r archive; do
  [ ! -e "${archive%.a}.so" ] || rm "$archive"
done
find "$out" -type l | while read -r link; do
  case $(readlink "$link") in /*) ln -sfn "$out$(readlink "$link")" "$link" ;; esac
done
# Where the compiler looks for the linker.
mkdir "$out/x86_64-linux-gnu"
ln -s ../bin "$out/x86_64-linux-gnu/bin"
libraries=$out/lib/x86_64-linux-gnu
loader=$libraries/ld-linux-x86-64.so.2

# Its programs load the tree's own libraries; these, being found by the programs, stay as they are.
find "$out/bin" "$out/libexec" -type f -perm -100 | while read -r file; do
  "$patchelf" --print-interpreter "$file" > /dev/null 2>&1 || continue
  "$patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$file"
done

# What is linked runs at once, as configuration scripts want it.
cat > "$out/lib/gcc/x86_64-linux-gnu/14/specs" << END
*link:
+ %{!shared:%{!static:%{!static-pie:%{!r:-dynamic-linker $loader --disable-new-dtags -rpath $libraries}}}}

END

# program NAME: make a script of standard input.
program() {
  rm -f "$out/bin/$1"
  { echo '#!/bin/sh' && cat; } > "$out/bin/$1"
  chmod +x "$out/bin/$1"
}

# What is in the tree, scripts say where it is.
for script in "$out"/bin/*; do
  [ -L "$script" ] || [ "$(head -c 2 "$script")" != '#!' ] || sed -i "s,/usr,$out,g" "$script"
done
program dpkg-architecture << END
echo x86_64-linux-gnu
END

# Python's headers are where Python expects them only on a Debian machine.
for name in gcc g++ cpp; do
  for alias in $name x86_64-linux-gnu-$name; do
    program $alias << END
exec $out/bin/x86_64-linux-gnu-$name-14 --sysroot=$out -isystem $out/include/python3.13 "\$@"
END
  done
done
ln -sf gcc "$out/bin/cc"
ln -sf g++ "$out/bin/c++"
for name in ar as ld nm objcopy objdump ranlib readelf strip; do ln -sf "x86_64-linux-gnu-$name" "$out/bin/$name"; done

for name in pkg-config x86_64-linux-gnu-pkg-config; do
  program $name << END
export PKG_CONFIG_SYSROOT_DIR=$out
export PKG_CONFIG_LIBDIR=$out/usr/lib/x86_64-linux-gnu/pkgconfig
exec $out/bin/pkgconf "\$@"
END
done

# Debian's is written in Perl.
program pg_config << END
for option in "\$@"; do
  case \$option in
    --bindir) echo $out/bin ;;
    --includedir | --pkgincludedir) echo $out/include/postgresql ;;
    --includedir-server) echo $out/include/postgresql/17/server ;;
    --libdir | --pkglibdir) echo $libraries ;;
    --version) echo "PostgreSQL $postgresql" ;;
    --*) echo ;;
  esac
done
END
