#!/usr/bin/env bash
# The message log beside one PostgreSQL insert and commit a message, on the same disk: bench/postgres.sh [ROUNDS] [SECONDS]
# [DIRECTORY]. PostgreSQL runs in a folder of its own on a Unix socket, with its defaults but for the network: synchronous
# commit and fsync on. Rounds are interleaved. Needs the Debian package postgresql.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/environment

rounds="${1:-5}"
seconds="${2:-10}"
directory="${3:-${TMPDIR:-/tmp}/kiirtee-postgres.$$}"
# One message: text of it, signature document, hash chain and its result, as the reference logs each.
message=1024
connections="1 16 64"

binaries="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)"
if [ ! -x "$binaries/initdb" ] || [ ! -x "$binaries/pgbench" ]; then
    echo "SKIPPED: no PostgreSQL here (Debian package postgresql); nothing was compared" >&2
    exit 0
fi
mkdir -p "$directory"
directory="$(realpath "$directory")"
as=()
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL does not run as root.
    chown postgres: "$directory"
    as=(runuser -u postgres --)
fi
stop() {
    "${as[@]}" "$binaries/pg_ctl" -D "$directory/data" -m immediate -s stop || true
    rm -rf "$directory/data" "$directory/kiirtee-load-log" "$directory"/*.txt "$directory"/*.sql
    rmdir "$directory" 2>/dev/null || true
}
trap stop EXIT
program="${KIIRTEE_LOG_LOAD:-}"
if [ -z "$program" ]; then
    cargo build -q --profile "${PROFILE:-dev}" -p storage --example message_log_load
    folder="${PROFILE:-dev}"
    [ "$folder" != dev ] || folder=debug
    program="$CARGO_TARGET_DIR/$folder/examples/message_log_load"
fi

(
    cd "$directory"
    "${as[@]}" "$binaries/initdb" -D "$directory/data" -A trust -U log >/dev/null
    "${as[@]}" "$binaries/pg_ctl" -D "$directory/data" -l "$directory/data/said" -w -s \
        -o "-c listen_addresses='' -c unix_socket_directories='$directory/data'" start
)
sql() { "$binaries/psql" -q -h "$directory/data" -U log -d postgres "$@"; }
# The shape of the reference's table: its columns, its key from a sequence, its four further indexes.
sql <<'SQL'
CREATE SEQUENCE record_ids;
CREATE TABLE record (
    id bigint PRIMARY KEY, discriminator varchar(255) NOT NULL, "time" bigint, archived boolean, queryid varchar(255),
    message text, signature text, hashchain text, hashchainresult text, signaturehash text, timestamprecord bigint,
    timestamphashchain text, response boolean, "timestamp" text, memberclass varchar(255), membercode varchar(255),
    subsystemcode varchar(255), xrequestid varchar(255), keyid varchar(255), ciphermessage bytea);
CREATE INDEX by_time_stamp ON record (timestamprecord);
CREATE INDEX not_stamped ON record (id, discriminator, signaturehash) WHERE discriminator = 'm' AND signaturehash IS NOT NULL;
CREATE INDEX not_archived ON record (id) WHERE discriminator = 't' AND archived = false;
CREATE INDEX by_group ON record (memberclass, membercode, subsystemcode, id)
    WHERE discriminator = 'm' AND archived = false AND timestamprecord IS NOT NULL;
-- Texts of chance that compress about as messages and signature documents do.
CREATE TABLE piece AS SELECT n, (SELECT string_agg('<ds:element>' || md5(n::text || i::text) || '</ds:element>', '')
    FROM generate_series(1, 150) i) AS text FROM generate_series(1, 100) n;
ALTER TABLE piece ADD PRIMARY KEY (n);
VACUUM ANALYZE piece;
SQL
# The driver sends the texts, so they are in the script and not read from a table: here as literals, chosen by pgbench.
mkdir -p "$directory/data/scripts"
for number in $(seq 1 20); do
    text="$(sql -At -c "SELECT text FROM piece WHERE n = $number")"
    part() { printf "'%s'" "${text:$1:$2}"; }
    {
        printf '\\set q random(1, 9000000000000000)\n'
        printf 'BEGIN;\nSELECT nextval('"'record_ids'"') AS id \\gset\n'
        printf 'INSERT INTO record (id, discriminator, "time", archived, queryid, message, signature, hashchain, hashchainresult,'
        printf " signaturehash, response, memberclass, membercode, subsystemcode, xrequestid) VALUES (:id, 'm', 1700000000000, false,"
        printf " 'query-' || :q, %s, %s, %s, %s, %s, false, 'GOV', '70000001', 'consumer', 'request-' || :q);\nCOMMIT;\n" \
            "$(part 0 $message)" "$(part 100 6000)" "$(part 300 1300)" "$(part 500 44)" "$(part 700 88)"
    } >"$directory/data/scripts/$number.sql"
done
scripts=()
for script in "$directory"/data/scripts/*.sql; do scripts+=(-f "$script"); done

ticks() { # CPU of all processes of the cluster, in microseconds
    local leader pids
    leader="$(head -1 "$directory/data/postmaster.pid")"
    pids="$leader $(pgrep -P "$leader" | tr '\n' ' ')"
    for pid in $pids; do cat "/proc/$pid/stat" 2>/dev/null || true; done |
        sed 's/.*) //' | awk -v hz="$(getconf CLK_TCK)" '{ t += $12 + $13 + $14 + $15 } END { printf "%d", t * 1e6 / hz }'
}
postgres_round() { # connections -> rate and CPU a record
    local before after out records
    before="$(ticks)"
    out="$("$binaries/pgbench" -h "$directory/data" -U log -n -M prepared -c "$1" -j 1 -T "$seconds" "${scripts[@]}" postgres 2>&1)"
    after="$(ticks)"
    records="$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<<"$out")"
    awk -v r="$records" -v s="$seconds" -v c=$((after - before)) 'BEGIN { printf "%.0f %.1f\n", r / s, c / r }'
}
ours_round() { # the same of the log; the CPU of whoever hands the records in is not counted, as pgbench's is not
    "$program" rate "$directory" "$seconds" "$message" "$1" | tail -1 |
        awk '{ printf "%.0f %.1f\n", $2, $6 - $NF }'
}
median() { sort -g | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

echo "disk: $(df --output=source,fstype "$directory" | tail -1); $(nproc) cores; load before: $(cut -d' ' -f1-3 /proc/loadavg)"
echo "$("$binaries/postgres" --version); message $message bytes, 6000 bytes of signature document, 1300 of hash chain;"
echo "ours: 16 records share a signature document; PostgreSQL: each has its own, as the reference logs it; fsync on in both"
for round in $(seq "$rounds"); do
    for c in $connections; do
        ours_round "$c" >>"$directory/ours-$c.txt"
        postgres_round "$c" >>"$directory/postgres-$c.txt"
        echo "round $round, $c: ours $(tail -1 "$directory/ours-$c.txt"), PostgreSQL $(tail -1 "$directory/postgres-$c.txt") (records/s, µs CPU a record)"
    done
done
echo "medians of $rounds rounds of $seconds s:"
echo "| in flight | records/s | PostgreSQL | ratio | µs CPU a record | PostgreSQL | ratio |"
echo "|---|---|---|---|---|---|---|"
for c in $connections; do
    read -r rate cpu <<<"$(cut -d' ' -f1 "$directory/ours-$c.txt" | median) $(cut -d' ' -f2 "$directory/ours-$c.txt" | median)"
    read -r their_rate their_cpu <<<"$(cut -d' ' -f1 "$directory/postgres-$c.txt" | median) $(cut -d' ' -f2 "$directory/postgres-$c.txt" | median)"
    awk -v c="$c" -v a="$rate" -v b="$their_rate" -v d="$cpu" -v e="$their_cpu" \
        'BEGIN { printf "| %d | %d | %d | %.1f | %.1f | %.1f | 1/%.1f |\n", c, a, b, a / b, d, e, e / d }'
done
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
