#!/usr/bin/env bash
# The message log beside one PostgreSQL insert and commit a message, on the same disk: bench/postgres.sh [ROUNDS] [SECONDS]
# [DIRECTORY]. PostgreSQL runs in a folder of its own on a Unix socket, with its defaults but for the network: synchronous
# commit and fsync on. Rounds are interleaved. Needs the Debian package postgresql. The last line is `ratio: NUMBER`: records a
# second of the log for one of PostgreSQL's, messages of 1 KB, 64 in flight.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/environment

rounds="${1:-3}"
seconds="${2:-3}"
directory="${3:-${TMPDIR:-/tmp}/kiirtee-postgres.$$}"
# Bytes of the message; signature document, hash chain and its result are of one size, as the reference logs each.
sizes="1024 6144"
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
    # With the binaries of `make bench` their profile.
    case "${PROFILE:-$(basename "${BIN:-measure}")}" in
        dev | debug) profile=dev folder=debug ;;
        release) profile=release folder=release ;;
        *) profile=measure folder=measure ;;
    esac
    cargo build -q --profile "$profile" -p storage --example message_log_load
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
-- Texts of chance that compress about as messages and signature documents do; without colons, which pgbench reads.
CREATE TABLE piece AS SELECT n, (SELECT string_agg('<ds-element>' || md5(n::text || i::text) || '</ds-element>', '')
    FROM generate_series(1, 150) i) AS text FROM generate_series(1, 100) n;
ALTER TABLE piece ADD PRIMARY KEY (n);
VACUUM ANALYZE piece;
SQL
# The texts are literals of prepared statements: in PostgreSQL's favour, they are sent and parsed once a connection.
for message in $sizes; do
    mkdir -p "$directory/data/scripts/$message"
    for number in 1; do
        text="$(sql -At -c "SELECT text FROM piece WHERE n = $number")"
        part() { printf "'%s'" "${text:$1:$2}"; }
        {
            printf '\\set q random(1, 9000000000000000)\n'
            printf 'BEGIN;\nSELECT nextval('"'record_ids'"') AS id \\gset\n'
            printf 'INSERT INTO record (id, discriminator, "time", archived, queryid, message, signature, hashchain,'
            printf ' hashchainresult, signaturehash, response, memberclass, membercode, subsystemcode, xrequestid)'
            printf " VALUES (:id, 'm', 1700000000000, false, 'query-' || :q, %s, %s, %s, %s, %s, false, 'GOV', '70000001'," \
                "$(part 0 "$message")" "$(part 100 6000)" "$(part 300 1300)" "$(part 500 44)" "$(part 700 88)"
            printf " 'consumer', 'request-' || :q);\nCOMMIT;\n"
        } >"$directory/data/scripts/$message/$number.sql"
    done
done

ticks() { # CPU of all processes of the cluster, in microseconds
    local leader pids
    leader="$(head -1 "$directory/data/postmaster.pid")"
    pids="$leader $(pgrep -P "$leader" | tr '\n' ' ')"
    for pid in $pids; do cat "/proc/$pid/stat" 2>/dev/null || true; done |
        sed 's/.*) //' | awk -v hz="$(getconf CLK_TCK)" '{ t += $12 + $13 + $14 + $15 } END { printf "%d", t * 1e6 / hz }'
}
postgres_round() { # size, connections -> rate and CPU a record
    local before after out records script scripts=()
    for script in "$directory/data/scripts/$1"/*.sql; do scripts+=(-f "$script"); done
    before="$(ticks)"
    out="$("$binaries/pgbench" -h "$directory/data" -U log -n -M prepared -c "$2" -j 1 -T "$seconds" "${scripts[@]}" postgres 2>&1)"
    after="$(ticks)"
    records="$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<<"$out")"
    awk -v r="$records" -v s="$seconds" -v c=$((after - before)) 'BEGIN { printf "%.0f %.1f\n", r / s, c / r }'
}
ours_round() { # the same of the log; the CPU of whoever hands the records in is not counted, as pgbench's is not
    "$program" rate "$directory" "$seconds" "$1" "$2" | tail -1 |
        awk '{ printf "%.0f %.1f\n", $2, $6 - $NF }'
}
median() { sort -g | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

echo "disk: $(df --output=source,fstype "$directory" | tail -1); $(nproc) cores; load before: $(cut -d' ' -f1-3 /proc/loadavg)"
echo "$("$binaries/postgres" --version); 6000 bytes of signature document and 1300 of hash chain a message;"
echo "ours: 16 records share a signature document; PostgreSQL: each has its own, as the reference logs it; fsync on in both"
for round in $(seq "$rounds"); do
    for size in $sizes; do
        for c in $connections; do
            ours_round "$size" "$c" >>"$directory/ours-$size-$c.txt"
            postgres_round "$size" "$c" >>"$directory/postgres-$size-$c.txt"
            echo "round $round, $size bytes, $c: ours $(tail -1 "$directory/ours-$size-$c.txt")," \
                "PostgreSQL $(tail -1 "$directory/postgres-$size-$c.txt") (records/s, µs CPU a record)"
        done
    done
done
echo "medians of $rounds rounds of $seconds s:"
echo "| bytes | in flight | records/s | PostgreSQL | ratio | µs CPU a record | PostgreSQL | ratio |"
echo "|---|---|---|---|---|---|---|---|"
middle() { cut -d' ' -f"$2" "$directory/$1.txt" | median; }
for size in $sizes; do
    for c in $connections; do
        awk -v size="$size" -v c="$c" -v a="$(middle "ours-$size-$c" 1)" -v b="$(middle "postgres-$size-$c" 1)" \
            -v d="$(middle "ours-$size-$c" 2)" -v e="$(middle "postgres-$size-$c" 2)" \
            'BEGIN { printf "| %d | %d | %d | %d | %.1f | %.1f | %.1f | 1/%.1f |\n", size, c, a, b, a / b, d, e, e / d }'
    done
done
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
awk -v a="$(middle ours-1024-64 1)" -v b="$(middle postgres-1024-64 1)" 'BEGIN { printf "ratio: %.1f\n", a / b }'
