# fix_elf_files DIRECTORY LIBRARY_DIRECTORIES [PROGRAMS_TOO [BY_NAME]]
# Give every program below the directory the store's loader; and every program and library those of the library
# directories (own ones first) that hold what it needs. Programs get PROGRAMS_TOO besides, a directory of libraries that
# the C library loads by name: an RPATH, unlike a RUNPATH, counts for those. BY_NAME are directories for what loads
# libraries by name itself.
fix_elf_files() {
  own=$(find "$1" -name '*.so*' ! -type d -exec dirname {} \; | sort -u)
  find "$1" -type f \( -perm -100 -o -name '*.so*' \) | while read -r file; do
    [ "$(head -c 4 "$file" | tail -c 3)" = ELF ] || continue
    patchelf --print-needed "$file" > needed 2> /dev/null || continue # it is static
    [ -s needed ] || continue
    program=
    if patchelf --print-interpreter "$file" > /dev/null 2>&1; then
      program="--set-interpreter $loader --force-rpath"
    fi
    rpath=$(patchelf --print-rpath "$file" | tr ':' '\n' | grep '^\$ORIGIN' | tr '\n' ':' || true)
    for library in $(cat needed); do
      found=
      for folder in $(echo "$rpath" | sed "s,\$ORIGIN,${file%/*},g" | tr ':' ' ') $own $(echo "$2" | tr ':' ' '); do
        if [ -e "$folder/$library" ]; then
          found=$folder
          break
        fi
      done
      if [ -z "$found" ]; then
        echo "$name needs $library (${file#"$1"/}), which no locked Debian package has: add the one that has it with \`nixw add --debian PACKAGE\` (\`apt-file search $library\` tells which)." >&2
        exit 1
      fi
      case ":$rpath:" in
        *":$found:"*) ;;
        *) rpath=$rpath${rpath:+:}$found ;;
      esac
    done
    if [ -n "${4:-}" ] && grep -q dlopen "$file"; then rpath=$rpath${rpath:+:}$4; fi
    # In one go: what patchelf moves about in a file, it does not always find again.
    patchelf $program --set-rpath "$rpath${program:+${3:+:$3}}" "$file"
  done
}
