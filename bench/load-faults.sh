#!/bin/sh
# Small exchanges beside what a server must not be stopped by: 2 GB bodies, floods of TLS handshakes, slow heads and
# three times the load that it can serve. Prints a table for bench/README.md.
#
# usage: bench/load-faults.sh FOLDER-OF-BINARIES [NET] [MEGABYTES]
# Needs curl, openssl and python3, and 4 GB free in $TMPDIR for each large body under way.
set -eu
bin=$(cd "$1" && pwd)
net=${2:-127.0.237}
megabytes=${3:-2048}
dir=$(mktemp -d)
seconds=10
PATH=$bin:$PATH
pids=
finish() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    kiirtee sandbox down --dir "$dir/box" >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap finish EXIT INT TERM

kiirtee sandbox up --net "$net" --dir "$dir/box" >"$dir/up.log" 2>&1
json() { python3 -c 'import json,sys,functools;print(functools.reduce(lambda v,k:v[k],sys.argv[2].split("/"),json.load(open(sys.argv[1]))))' "$1" "$2"; }
box=$dir/box/sandbox.json
server=$(json "$box" consumer/client_http)
provider=$(json "$box" provider/subsystem)
pid=$(json "$box" processes/consumer-proxy)

# NAME RATE CONNECTIONS: an open loop; a line of the table.
small() {
    kiirtee-load --server "$server" --client SANDBOX/ORG/1001/client --service "$provider/echo" \
        --path '/bytes?size=1024' --rate "$2" --connections "$3" --duration "${seconds}s" --quiet --max-errors 100% \
        --json "$dir/run.json" >/dev/null 2>"$dir/load.err" || cat "$dir/load.err" >&2
    rss=$(awk '/VmRSS/ {print int($2/1024)}' "/proc/$pid/status")
    python3 - "$dir/run.json" "$1" "$rss" <<'PY'
import json,sys
run=json.load(open(sys.argv[1]))
def find(value,key):
    if isinstance(value,dict):
        if key in value: return value[key]
        for inner in value.values():
            found=find(inner,key)
            if found is not None: return found
total=run.get("total",run)
latency=find(run,"latency")
milliseconds=lambda key: "%.0f ms" % (latency[key]/1000)
print("|",sys.argv[2],"|",total["answered"],"|",total["failed"],"|",milliseconds("p50"),"|",milliseconds("p99"),"|",sys.argv[3],"MiB |")
PY
}
stop() {
    for pid_ in $pids; do kill "$pid_" 2>/dev/null || true; done
    for pid_ in $pids; do wait "$pid_" 2>/dev/null || true; done
    pids=
}

small warm 50 16 >/dev/null
echo "| | answered | failed or refused | p50 | p99 | consumer's proxy |"
echo "|---|---|---|---|---|---|"
small "alone" 100 16

truncate -s "${megabytes}M" "$dir/body"
for _ in 1 2; do
    nice curl -s -o /dev/null -H 'X-Road-Client: SANDBOX/ORG/1001/client' -H 'Content-Type: application/octet-stream' \
        -T "$dir/body" "$server/r1/$provider/echo" & pids="$pids $!"
done
small "beside 2 bodies of $megabytes MB" 100 16
stop

for host in "$net.10:8443" "$net.20:5500"; do
    for _ in 1 2 3 4; do
        nice openssl s_time -connect "$host" -new -time 12 >"$dir/flood.log" 2>&1 & pids="$pids $!"
    done
    small "beside a flood of handshakes on $host" 100 16
    stop
done

nice python3 - "$server" <<'PY' & pids="$pids $!"
import socket,sys,time,urllib.parse
url=urllib.parse.urlparse(sys.argv[1])
held=[socket.create_connection((url.hostname,url.port)) for _ in range(900)]
for one in held: one.send(b"GET / HTTP/1.1\r\nX-Slow: ")
while True:
    for one in held:
        try: one.send(b"x")
        except OSError: pass
    time.sleep(1)
PY
small "beside 900 heads that do not end" 100 16
stop

small "three times too much" 6000 4000
small "alone again" 100 16
