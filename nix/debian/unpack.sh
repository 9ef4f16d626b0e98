# Unpack $deb into $out with usr as its top; $remove names what to leave out.
mkdir -p "$out" unpacked
member=$(ar -t "$deb" | grep '^data\.tar')
case $member in
  *.xz) decompress=unxz ;;
  *.gz) decompress=gunzip ;;
  *) echo "$name: $member is compressed in a way that is not supported" >&2; exit 1 ;;
esac
ar -p "$deb" "$member" | $decompress | tar -x -C unpacked
for tree in unpacked/usr unpacked; do
  [ -d "$tree" ] || continue
  for folder in bin sbin lib lib64 libexec share etc; do
    [ -d "$tree/$folder" ] || continue
    mkdir -p "$out/$folder"
    cp -a "$tree/$folder/." "$out/$folder/"
  done
done
if [ -d "$out/sbin" ]; then
  mkdir -p "$out/bin"
  find "$out/sbin" -mindepth 1 -maxdepth 1 -exec mv {} "$out/bin/" \;
  rmdir "$out/sbin"
fi
(cd "$out" && eval rm -rf "$remove")

# Licences stay; other documentation goes.
if [ -d "$out/share/doc" ]; then
  find "$out/share/doc" ! -name copyright ! -type d -exec rm {} +
  find "$out/share/doc" -depth -type d -exec rmdir {} + 2> /dev/null || true
fi

# Links are relative to the package, or to nothing in it, and then they go.
find "$out" -type l | while read -r link; do
  target=$(readlink "$link")
  case $target in
    /usr/*) target=${target#/usr/} ;;
    /*) target=${target#/} ;;
    *) continue ;;
  esac
  rm "$link"
  folder=${link#"$out"/}
  up=$(dirname "$folder" | sed -e 's,[^/][^/]*,..,g')
  if [ -e "$out/$target" ]; then ln -s "$up/$target" "$link"; fi
done

# What dpkg would record, for whoever asks which Debian packages a store path is made of.
mkdir -p "$out/share/dpkg/status.d"
control=$(ar -t "$deb" | grep '^control\.tar')
case $control in *.xz) decompress=unxz ;; *) decompress=gunzip ;; esac
ar -p "$deb" "$control" | $decompress | tar -xO ./control > "$out/share/dpkg/status.d/$name"

# Nobody but root writes in a store path, and no program in it gains rights.
chmod -R u+w,go-w,a-s "$out"
