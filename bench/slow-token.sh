#!/usr/bin/env bash
# Exchanges a second with hardware tokens that need 50 ms for a signature, one session each: SoftHSM 2, slowed down.
#
#   bench/slow-token.sh [FOLDER OF THE PROGRAMS] [SECONDS] [CONNECTIONS]
#
# Needs softhsm2, and kiirtee-load beside the programs (or else wrk). Prints exchanges a second, latencies and the mean
# batch of both signers. The target is 2,000 exchanges a second with a p99 under 500 ms.
set -euo pipefail
cd "$(dirname "$0")/.."
programs="$(realpath "${1:-${CARGO_TARGET_DIR:-target}/release}")"
seconds="${2:-20}"
connections="${3:-400}"
delay="${TOKEN_DELAY_MS:-50}"
net="${NET:-127.0.209}"
folder="$(mktemp -d "${TMPDIR:-/tmp}/slow-token.XXXXXX")"
kiirtee="$programs/kiirtee"
stop() { "$kiirtee" sandbox down --dir "$folder" >/dev/null 2>&1 || true; rm -rf "$folder"; }
trap stop EXIT

"$kiirtee" sandbox up --dir "$folder" --net "$net" --token softhsm --token-delay "$delay" >/dev/null
value() { jq -r "$1" "$folder/sandbox.json"; }
url="$(value .consumer.client_http)/r1/$(value .provider.subsystem)/echo/hello"
client="X-Road-Client: $(value .consumer.subsystem)"
curl -fsS -o /dev/null -H "$client" "$url"

figures() { "$kiirtee" keys --socket "$(value ".$1.signer_socket")" figures --json; }
consumer_before="$(figures consumer)"
provider_before="$(figures provider)"
echo "token: $delay ms a signature, one session; $connections connections, $seconds s"
if [ -x "$programs/kiirtee-load" ]; then
    "$programs/kiirtee-load" --connections "$connections" --duration "${seconds}s" --warm-up 3s --path /hello \
        --server "$(value .consumer.client_http)" --client "$(value .consumer.subsystem)" \
        --service "$(value .provider.subsystem)/echo"
else
    wrk -t2 -c"$connections" -d"${seconds}s" --timeout 10s --latency -H "$client" "$url"
fi
for server in consumer provider; do
    before="${server}_before"
    figures "$server" | jq -r --argjson before "${!before}" --arg server "$server" \
        '"\($server): \(.messages - $before.messages) messages in \(.batches - $before.batches) signatures, \(((.messages - $before.messages) / ([.batches - $before.batches, 1] | max)) * 10 | round / 10) on average"'
done
