#!/usr/bin/env bash
# Whether the message log is as quick at the end of a soak as in its first minute: bench/soak.sh [SECONDS] [DIRECTORY].
# 64 records in flight all the time, time-stamping and cleaning beside them; a line a minute. Fails when the p99 of the last
# minute is more than 1.5 times that of the first.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/environment

seconds="${1:-900}"
directory="${2:-${TMPDIR:-/tmp}/kiirtee-soak.$$}"
mkdir -p "$directory"
# shellcheck disable=SC2064  # the directory as it is now
trap "rm -rf '$directory/kiirtee-load-log'; rmdir '$directory' 2>/dev/null || true" EXIT
program="${KIIRTEE_LOG_LOAD:-}"
if [ -z "$program" ]; then
    cargo build -q --profile "${PROFILE:-dev}" -p storage --example message_log_load
    folder="${PROFILE:-dev}"
    [ "$folder" != dev ] || folder=debug
    program="$CARGO_TARGET_DIR/$folder/examples/message_log_load"
fi
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"
status=0
"$program" soak "$directory" "$seconds" || status=$?
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
exit "$status"
