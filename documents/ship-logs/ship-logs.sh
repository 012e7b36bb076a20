#!/bin/sh
# Ships log directories to S3 until a deadline, small files first, and writes _SHIPPED.json last.
# Runs as root under AWS Systems Manager; needs the AWS CLI, and s3:PutObject and s3:ListBucket for the instance.
#
#   SHIP_SOURCE       absolute directories, separated by spaces
#   SHIP_DESTINATION  s3://bucket/prefix
#   SHIP_PHASE        pre-copy: in no hurry, and gives way to an interruption; interruption: the last chance
#   SHIP_DEADLINE     epoch seconds
#
# Exits 0: all of it is in S3. 75: not all, and the marker says so, or another run is at it. 64, 69: it could not begin.
set -u

RESERVE=5 # seconds kept for the marker
SMALL=8192k # files above this size go last
# In /run/lock anybody may make a file first, and whoever can open this one can hold it.
LOCK=${SHIP_LOCK:-/run/reflex-ship-logs}
umask 077
SYS=${SHIP_SYS:-/sys}

say() { printf 'ship-logs: %s\n' "$*" >&2; }
fail() {
  code=$1
  shift
  say "$*"
  exit "$code"
}

case ${SHIP_SOURCE:-} in '' | *[!A-Za-z0-9._/\ -]*) fail 64 'SHIP_SOURCE: expected absolute directories, separated by spaces' ;; esac
case ${SHIP_DESTINATION:-} in s3://?*) ;; *) fail 64 'SHIP_DESTINATION: expected s3://bucket/prefix' ;; esac
case ${SHIP_PHASE:-} in pre-copy | interruption) ;; *) fail 64 'SHIP_PHASE: expected pre-copy or interruption' ;; esac
case ${SHIP_DEADLINE:-} in '' | *[!0-9]*) fail 64 'SHIP_DEADLINE: expected epoch seconds' ;; esac
command -v aws > /dev/null || fail 69 'the AWS CLI is not installed'
there=0
for named in $SHIP_SOURCE; do [ -d "$named" ] && there=$((there + 1)); done
[ "$there" -gt 0 ] || fail 69 "no directory: $SHIP_SOURCE"

imds() {
  token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token) &&
    curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}

instance=${AWS_SSM_INSTANCE_ID:-}
[ -n "$instance" ] || instance=$(imds instance-id) || fail 69 'the instance does not know its id'
[ -n "${AWS_REGION:-}" ] || AWS_REGION=${AWS_SSM_REGION_NAME:-}
[ -n "$AWS_REGION" ] || AWS_REGION=$(imds placement/region) || fail 69 'the instance does not know its Region'
export AWS_REGION AWS_DEFAULT_REGION="$AWS_REGION"
base=${SHIP_DESTINATION%/}/$instance

left() { printf '%s' $((SHIP_DEADLINE - RESERVE - $(date +%s))); }

# --- One run at a time. Run Command has no client token: the same command may come twice. ---

# A shell that cannot open it for `exec` ends without a word.
(exec 9>> "$LOCK") 2> /dev/null || fail 69 "$LOCK cannot be written"
exec 9>> "$LOCK"
if ! flock -n 9; then
  read -r holder holding ends < "$LOCK" || fail 75 'another run is at it'
  # A lifecycle hook gives a quarter of an hour; a warning that follows it leaves two minutes.
  if [ "$SHIP_PHASE" = pre-copy ] || { [ "$holding" = interruption ] && [ "${ends:-0}" -le $((SHIP_DEADLINE + 60)) ]; }; then
    say "run $holder is at it"
    exit 0
  fi
  say "ends $holding $holder"
  # What is written there may be of a run long over, whose number another process has by now.
  [ "$(readlink -f "/proc/$holder/fd/9")" = "$(readlink -f "$LOCK")" ] && kill -TERM "$holder" 2> /dev/null
  # It hears the signal when it has counted its files or written its marker.
  flock -w "$(left)" 9 || fail 75 "$holding $holder does not end"
fi
printf '%s %s %s\n' "$$" "$SHIP_PHASE" "$SHIP_DEADLINE" > "$LOCK"

# --- What is still in memory goes to the disk: the kept volume has it then, whatever becomes of this run. ---

flush() {
  if command -v systemctl > /dev/null; then
    for unit in fluentd td-agent; do
      systemctl is-active -q "$unit" && systemctl kill --kill-who=main -s USR1 "$unit"
    done
  fi
  command -v journalctl > /dev/null && timeout 3 journalctl --sync
  # On a busy disk, or with an NFS server that is gone, no signal ends it; what is shipped is read from memory as well.
  timeout 10 sync > /dev/null &
} 2> /dev/null
flush 9>&-

# --- Where a directory lies: its volume, and its path inside it, as the rescue will find it. ---

# Prints "<volume id> <filesystem> <path>", or "host <filesystem> <absolute path>" where no EBS volume can be told.
# Of mounts upon each other (an automount is one) the last is the one that is seen.
locate() {
  source=$(findmnt -n -o SOURCE --target "$1" | tail -n 1)
  filesystem=$(findmnt -n -o FSTYPE --target "$1" | tail -n 1)
  target=$(findmnt -n -o TARGET --target "$1" | tail -n 1)
  device=${source%%\[*}
  inside=
  case $source in *\[*\]) inside=${source#*\[} inside=${inside%\]} ;; esac
  disk=$(readlink -f "$SYS/class/block/${device##*/}")
  [ -e "$disk/partition" ] && disk=${disk%/*}
  serial=$(cat "$disk/device/serial" 2> /dev/null | tr -d ' ')
  case $serial in
    vol*)
      volume=${serial#vol}
      volume=vol-${volume#-}
      path=$inside${1#"${target%/}"}
      ;;
    *) volume=host path=$1 ;;
  esac
  path=${path#/}
  printf '%s %s %s\n' "$volume" "${filesystem:-unknown}" "${path%/}"
}

# --- Shipping ---

child=
stop() {
  [ -n "$child" ] && kill -TERM "$child" 2> /dev/null
  say 'gives way'
  exit 75
}
trap stop TERM

# Runs until the deadline; in no hurry, it leaves processor and disk to others. A signal is heard meanwhile.
limited() {
  seconds=$(left)
  [ "$seconds" -gt 0 ] || return 124
  if [ "$SHIP_PHASE" = pre-copy ] && command -v ionice > /dev/null; then
    set -- nice -n 19 ionice -c 3 "$@"
  fi
  timeout "$seconds" "$@" 9>&- &
  child=$!
  wait "$child"
  code=$?
  child=
  return "$code"
}

# Counting a large tree takes long, and is not worth the marker: it ends with the deadline, or a second later.
look() {
  seconds=$(left)
  timeout "$((seconds > 0 ? seconds : 1))" find "$@" 2> /dev/null 9>&-
}

# Exit codes of `aws s3 sync`: 0 all sent; 1 some failed; 2 some left out: what is no regular file, or cannot be read.
ship() {
  directory=$1
  to=$2
  shift 2
  limited aws s3 sync "$directory" "$to" --no-follow-symlinks --no-progress --only-show-errors "$@"
  case $? in
    0) ;;
    2) [ -z "$(look "$directory" -type f ! -readable -print -quit)" ] || partial=true ;;
    *) partial=true ;;
  esac
}

# As many --exclude as there are large files; a name with a newline is two that do not exist, and goes with the small ones.
ship_small() {
  from=$1
  destination=$2
  set -f
  old=$IFS
  IFS='
'
  # shellcheck disable=SC2046 # one name a line
  set -- $(look "$from" -type f -size +"$SMALL" -printf '%P\n' | head -n 500 | sed 's/[][*?]/[&]/g')
  IFS=$old
  set +f
  # Small files do not wait for the large ones of another directory.
  [ "$#" -gt 0 ] || [ "$there" -gt 1 ] || return 0
  for name in "$@"; do
    shift
    set -- "$@" "--exclude=$name"
  done
  ship "$from" "$destination" "$@"
}

files=0
bytes=0
sources=
for pass in small all; do
  partial=false
  for named in $SHIP_SOURCE; do
    [ -d "$named" ] || continue
    directory=$(readlink -f "$named")
    place=$(locate "$directory")
    volume=${place%% *}
    rest=${place#* }
    filesystem=${rest%% *}
    path=${rest#* }
    to=$base/$volume${path:+/$path}
    if [ "$pass" = small ]; then
      ship_small "$directory" "$to"
      continue
    fi
    ship "$directory" "$to"
    found=$(look "$directory" -type f -printf '%s\n' | awk '{ n++; b += $1 } END { printf "%d %.0f", n, b }')
    files=$((files + ${found% *}))
    bytes=$((bytes + ${found#* }))
    [ "$volume" = host ] && volume=null || volume="\"$volume\""
    sources="$sources${sources:+,}{\"path\":\"$named\",\"volume\":$volume,\"filesystem\":\"$filesystem\"}"
  done
done

marker=$(printf '{"instance":"%s","phase":"%s","at":"%s","files":%d,"bytes":%d,"partial":%s,"sources":[%s]}' \
  "$instance" "$SHIP_PHASE" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$files" "$bytes" "$partial" "$sources")
printf '%s\n' "$marker"
printf '%s' "$marker" | timeout 15 aws s3 cp - "$base/_SHIPPED.json" --content-type application/json --only-show-errors 9>&- ||
  fail 75 'the marker was not written'
[ "$partial" = false ] || exit 75
