#!/usr/bin/env bash
# First figures: REST exchanges through two security servers on this machine, and where their time goes.
#
#   bench/first-figures.sh [SECONDS]        each run's length, 10 by default, 60 at most
#
# Brings a sandbox up on 127.0.NET (NET=160), runs wrk against it (GET and POST of 1 KB, 64 connections), prints
# exchanges a second, CPU microseconds an exchange of each process, batches and synced writes, and ends the sandbox.
# BIN is the folder of the binaries (target/release if there, else target/debug). Needs wrk, curl and python3;
# with `perf` it also says in which functions the proxies and signers spend their time. Installs nothing.
set -euo pipefail

seconds=${1:-10}
connections=${CONNECTIONS:-64}
net=127.0.${NET:-160}
here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}

for tool in wrk curl python3; do
    command -v "$tool" >/dev/null || { echo "missing: $tool (Debian package of the same name)" >&2; exit 2; }
done
if [ "$seconds" -lt 1 ] || [ "$seconds" -gt 60 ]; then
    echo "SECONDS: expected 1 to 60" >&2; exit 2
fi
if [ -z "${BIN:-}" ]; then
    BIN=$target/debug
    [ -x "$target/release/kiirtee-proxy" ] && BIN=$target/release
fi
for name in kiirtee kiirtee-proxy kiirtee-signer kiirtee-confclient kiirtee-central kiirtee-trust; do
    [ -x "$BIN/$name" ] || { echo "missing: $BIN/$name (cargo build --workspace)" >&2; exit 2; }
done

work=$(mktemp -d)
finish() {
    "$BIN/kiirtee" sandbox down --dir "$work/sandbox" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT

cat >"$work/get.lua" <<'LUA'
wrk.headers["X-Road-Client"] = "SANDBOX/ORG/1001/client"
LUA
cat >"$work/post.lua" <<'LUA'
wrk.method = "POST"
wrk.body = string.rep("x", 1024)
wrk.headers["X-Road-Client"] = "SANDBOX/ORG/1001/client"
wrk.headers["Content-Type"] = "application/octet-stream"
LUA

"$BIN/kiirtee" sandbox up --dir "$work/sandbox" --net "$net" >/dev/null 2>&1
url=http://$net.10:8080/r1/SANDBOX/ORG/2002/provider/echo

# One line of JSON: what every process has used and counted so far.
counts() {
    python3 - "$work/sandbox/sandbox.json" "$BIN/kiirtee" <<'PY'
import json, os, subprocess, sys, urllib.request
box = json.load(open(sys.argv[1]))
out, tick = {}, os.sysconf("SC_CLK_TCK")
for name, pid in box["processes"].items():
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    out["cpu " + name] = (int(fields[11]) + int(fields[12])) * 1e6 / tick
for server in ("consumer", "provider"):
    text = urllib.request.urlopen(box[server]["metrics"]).read().decode()
    for line in text.splitlines():
        if line.startswith("#") or "bucket" in line:
            continue
        name, value = line.rsplit(" ", 1)
        out[f"{server} {name}"] = float(value)
    figures = [sys.argv[2], "keys", "figures", "--json", "--socket", box[server]["signer_socket"]]
    figures = json.loads(subprocess.run(figures, capture_output=True, check=True).stdout)
    out.update({f"{server} signer {key}": value for key, value in figures.items()})
print(json.dumps(out))
PY
}

compare() {
    python3 - "$1" "$2" "$3" <<'PY'
import json, sys
before, after = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
change = {key: after[key] - before.get(key, 0) for key in after}
done = change['consumer xroad_exchanges_total{side="client_proxy",outcome="answered"}']
faults = change['consumer xroad_exchanges_total{side="client_proxy",outcome="fault"}']
print(f"  answered {done:.0f}, faults {faults:.0f}")
cpu = {key[4:]: value / max(done, 1) for key, value in change.items() if key.startswith("cpu ")}
for name, each in sorted(cpu.items(), key=lambda item: -item[1]):
    if each >= 1:
        print(f"  CPU {name:<20} {each:8.0f} us an exchange")
print(f"  CPU {'all processes':<20} {sum(cpu.values()):8.0f} us an exchange (without wrk)")
for server in ("consumer", "provider"):
    batches, messages = (change[f"{server} signer {what}"] for what in ("batches", "messages"))
    records, syncs = (change[f"{server} xroad_{what}_total"] for what in ("records_logged", "log_syncs"))
    print(f"  {server}: {messages / max(batches, 1):.1f} messages a signature, "
          f"{records / max(syncs, 1):.1f} records a synced write")
PY
}

echo "binaries: $BIN; $(nproc) cores; load before: $(cut -d' ' -f1-3 /proc/loadavg)"
wrk -t1 -c"$connections" -d3 -s "$work/get.lua" "$url/warm-up" >/dev/null
for kind in get post; do
    counts >"$work/before.json"
    echo "$kind, 1 KB, $connections connections, $seconds s"
    path=bytes?size=1024
    [ "$kind" = post ] && path=document
    wrk -t1 -c"$connections" -d"$seconds" --latency -s "$work/$kind.lua" "$url/$path" |
        grep -E 'requests in|Requests/sec|50%|99%|Non-2xx|Socket errors' | sed 's/^ */  /'
    counts >"$work/after.json"
    compare "$work/before.json" "$work/after.json" "$kind"
done
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"

if ! command -v perf >/dev/null; then
    echo "missing: perf (Debian package linux-perf); where the time goes is not shown"
    exit 0
fi
pids=$(python3 -c "import json,sys; p=json.load(open(sys.argv[1]))['processes']
print(','.join(str(p[n]) for n in p if n.split('-')[-1] in ('proxy','signer') and n[:7] != 'central'))" "$work/sandbox/sandbox.json")
echo "where the time goes (perf, POST of 1 KB):"
wrk -t1 -c"$connections" -d8 -s "$work/post.lua" "$url/document" >/dev/null &
load=$!
sleep 1
if perf record -q -F 499 -e cpu-clock -p "$pids" -o "$work/perf.data" -- sleep 5 2>"$work/perf.log"; then
    for sort in comm,dso symbol; do
        echo "by $sort:"
        perf report -i "$work/perf.data" --sort "$sort" --stdio 2>/dev/null |
            grep -E '^ +[0-9]' | sed -E 's/ +- +- *$//; s/ +$//' | head -24
    done
else
    echo "perf cannot sample here: $(tail -1 "$work/perf.log")"
fi
wait "$load"
