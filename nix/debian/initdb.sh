#!@sh@
# initdb, and a link to the time zones in the new cluster, where this server looks for them.
# A new cluster starts in GMT, the one zone that the server knows without them.
TZ=GMT @initdb@ "$@" || exit
data=${PGDATA:-}
while [ $# -gt 0 ]; do
  case $1 in
    -D | --pgdata) data=$2 ;;
    --pgdata=*) data=${1#--pgdata=} ;;
    -D?*) data=${1#-D} ;;
  esac
  shift
done
if [ -f "$data/PG_VERSION" ]; then ln -sfn @zoneinfo@ "$data/zoneinfo"; fi
