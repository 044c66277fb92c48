#!/usr/bin/env bash
# Whether the message log is as quick at the end of a soak as in its first minute: bench/soak.sh [SECONDS] [DIRECTORY].
# 64 records in flight all the time, time-stamping and cleaning beside them; a line a minute. Fails when the p99 of the last
# minute is more than 1.5 times that of the first.
seconds="${1:-900}"
directory="${2:-}"
. "$(dirname "$0")/log-load.bash"
need_program

echo "load before: $(load_average)"
status=0
"$program" soak "$directory" "$seconds" || status=$?
echo "load after: $(load_average)"
exit "$status"
