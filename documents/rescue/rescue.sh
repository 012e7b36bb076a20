#!/bin/bash
# Copies every regular file of a mounted volume to S3, looks whether S3 has them all, and writes the marker last.
# Runs as root in a container with the AWS CLI and coreutils, and nothing else; needs s3:PutObject and s3:ListBucket.
#
#   RESCUE_SOURCE       directory the copy of the volume is mounted at
#   RESCUE_DESTINATION  s3://bucket/prefix of the files
#   RESCUE_MARKER       s3://bucket/key of the marker
#   RESCUE_VOLUME       id of the volume that was kept
#   RESCUE_SNAPSHOT     id of the snapshot the copy was made from
#
# Exits 0: every regular file is in S3, and the marker says so. 75: one is not, or the marker could not be written. 64, 69: it
# could not begin, and wrote no marker.
set -u
shopt -s dotglob nullglob
# Names are bytes to the kernel and text to the AWS CLI: what is no text it leaves out, and that is counted.
export LC_ALL=C.UTF-8

say() { printf 'rescue: %s\n' "$*" >&2; }
fail() {
  say "${*:2}"
  exit "$1"
}

[ -d "${RESCUE_SOURCE:-}" ] || fail 64 'RESCUE_SOURCE: expected a directory'
[[ ${RESCUE_DESTINATION:-} == s3://?*/?* ]] || fail 64 'RESCUE_DESTINATION: expected s3://bucket/prefix'
[[ ${RESCUE_MARKER:-} == s3://?*/?* ]] || fail 64 'RESCUE_MARKER: expected s3://bucket/key'
[[ ${RESCUE_VOLUME:-} =~ ^vol-[0-9a-f]+$ ]] || fail 64 'RESCUE_VOLUME: expected a volume id'
[[ ${RESCUE_SNAPSHOT:-} =~ ^snap-[0-9a-f]+$ ]] || fail 64 'RESCUE_SNAPSHOT: expected a snapshot id'
command -v aws > /dev/null || fail 69 'the AWS CLI is not installed'
work=$(mktemp -d) || fail 69 'no temporary directory'
trap 'rm -rf "$work"' EXIT

# --- What there is, counted without the AWS CLI ---

files=0
bytes=0
lines=0
links=0
special=0
unreadable=0

# Sizes and lines of at most 500 files a call: a command line has an end.
measure() {
  local size
  while [ "$#" -gt 0 ]; do
    while read -r size; do bytes=$((bytes + size)); done < <(stat -c %s -- "${@:1:500}")
    lines=$((lines + $(cat -- "${@:1:500}" 2> /dev/null | wc -l)))
    shift "$(($# < 500 ? $# : 500))"
  done
}

walk() {
  local entry
  local -a regular=() directories=()
  if ! [ -r "$1" ] || ! [ -x "$1" ]; then
    unreadable=$((unreadable + 1))
    return
  fi
  for entry in "$1"/*; do
    if [ -L "$entry" ]; then
      links=$((links + 1))
    elif [ -d "$entry" ]; then
      directories+=("$entry")
    elif [ -f "$entry" ]; then
      regular+=("$entry")
    elif [ -e "$entry" ]; then
      special=$((special + 1))
    else
      # A damaged inode, or a path longer than the kernel takes: what it is cannot be told, so it may be logs.
      unreadable=$((unreadable + 1))
    fi
  done
  files=$((files + ${#regular[@]}))
  [ "${#regular[@]}" -eq 0 ] || measure "${regular[@]}"
  for entry in ${directories[@]+"${directories[@]}"}; do walk "$entry"; done
}
walk "$RESCUE_SOURCE"
say "$files files, $bytes bytes, $links links, $special special files, $unreadable that cannot be read"

# --- Copying. All of it: what the host shipped while it was being written may have the size and yet not the text. ---

aws s3 cp "$RESCUE_SOURCE" "$RESCUE_DESTINATION" --recursive --no-follow-symlinks --no-progress --only-show-errors 2> "$work/copied"
copied=$?
head -n 50 "$work/copied" >&2

# --- Checking: what a second look would still copy is not in S3, whatever the first one said. ---

aws s3 sync "$RESCUE_SOURCE" "$RESCUE_DESTINATION" --no-follow-symlinks --size-only --no-progress --dryrun > "$work/missing" 2> "$work/checked"
checked=$?

warned=0
while read -r line; do [[ $line == 'warning: '* ]] && warned=$((warned + 1)); done < "$work/copied"
# Where S3 has all of it, nothing is said.
missing=$(wc -l < "$work/missing")
# Links are passed over in silence, special files and what cannot be read with a warning; any other warning is of a file that was left out.
left_out=$((warned > special + unreadable ? warned - special - unreadable : 0))
failed=$((missing + left_out + unreadable))
# Exit codes of `aws s3`: 0 all; 1 some failed; 2 some left out, which the warnings tell; others: it did not work at all.
case $copied:$warned in
  0:* | 2:[1-9]*) ;;
  *) [ "$failed" -gt 0 ] || failed=1 ;;
esac
case $checked in
  0 | 2) ;;
  *)
    head -n 50 "$work/checked" >&2
    [ "$failed" -gt 0 ] || failed=1
    ;;
esac

marker=$(printf '{"volumeId":"%s","snapshotId":"%s","at":"%s","files":%d,"bytes":%d,"lines":%d,"filesFailed":%d,"filesSkipped":%d}' \
  "$RESCUE_VOLUME" "$RESCUE_SNAPSHOT" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
  "$((files > failed ? files - failed : 0))" "$bytes" "$lines" "$failed" "$((links + special))")
printf '%s\n' "$marker"
printf '%s' "$marker" | aws s3 cp - "$RESCUE_MARKER" --content-type application/json --only-show-errors ||
  fail 75 'the marker was not written'
[ "$failed" -eq 0 ] || fail 75 "$failed files are not in S3"
