#!/usr/bin/env bash
# How long a message log of some GB takes to open after kill -9 in the middle of writing, and whether everything that was
# acknowledged is there: bench/recovery.sh [MIB] [DIRECTORY]. Fails when the first record is durable only after 10 s.
mebibytes="${1:-10240}"
directory="${2:-}"
. "$(dirname "$0")/log-load.bash"

free="$(df --output=avail -m "$directory" | tail -1)"
if [ "$free" -lt $((mebibytes * 3 / 2 + 1024)) ]; then
    echo "SKIPPED: $directory has $free MiB free, $mebibytes MiB of log need half as much again and 1 GiB" >&2
    exit 0
fi
need_program

echo "filling $mebibytes MiB in $directory; load $(load_average)"
"$program" fill "$directory" "$mebibytes" >"$directory/kiirtee-load-log.said" &
load=$!
until grep -q full "$directory/kiirtee-load-log.said"; do
    kill -0 "$load" || { echo "the load ended" >&2; exit 1; }
    sleep 0.2
done
# It goes on writing: the kill comes in the middle.
sleep 2
kill -9 "$load"
wait "$load" 2>/dev/null || true
load=""
echo "killed; $(du -sm "$directory/kiirtee-load-log" | cut -f1) MiB in $(find "$directory/kiirtee-load-log" -type f | wc -l) files," \
    "$(find "$directory/kiirtee-load-log" -name '*.log' -printf '%s\n' | awk '{s += $1} END {printf "%d", s / 1048576}') MiB of write-ahead log"
# As after a restart of the machine, where this is allowed: nothing of the log is in memory.
sync
echo 3 2>/dev/null >/proc/sys/vm/drop_caches || echo "caches could not be dropped: the files are in memory"
"$program" recover "$directory" | tee "$directory/kiirtee-load-log.recovered"
seconds="$(sed -n 's/.*durable after \(.*\)s$/\1/p' "$directory/kiirtee-load-log.recovered")"
case "$seconds" in
    *m | *µ) ;;
    *) awk -v seconds="$seconds" 'BEGIN { exit !(seconds < 10) }' || { echo "more than 10 s" >&2; exit 1; } ;;
esac
