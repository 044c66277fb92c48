# Sourced by the scripts that load a message log. `directory` is where, or empty: a folder of its own. It is left as it was
# found, and a load that still runs in the background, `load`, is ended.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/environment

directory="${directory:-${TMPDIR:-/tmp}/kiirtee-log-load.$$}"
mkdir -p "$directory"
load=""
clean_up() {
    [ -z "$load" ] || kill -9 "$load" 2>/dev/null || true
    rm -rf "$directory"/kiirtee-load-log*
    rmdir "$directory" 2>/dev/null || true
}
trap clean_up EXIT

# Sets `program`, the load: the one given in KIIRTEE_LOG_LOAD, or it is built.
need_program() {
    program="${KIIRTEE_LOG_LOAD:-}"
    if [ -z "$program" ]; then
        cargo build -q --profile "${PROFILE:-dev}" -p storage --example message_log_load
        local folder="${PROFILE:-dev}"
        [ "$folder" != dev ] || folder=debug
        program="$CARGO_TARGET_DIR/$folder/examples/message_log_load"
    fi
}

# The load average of the last minutes.
load_average() {
    cut -d' ' -f1-3 /proc/loadavg
}
