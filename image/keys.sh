#!/usr/bin/env bash
# Makes the keys of a series of images where there are none: keys.sh FOLDER.
#
#   PK, KEK, db    Secure Boot: .key, .pem, and .auth for enrolment by the boot loader
#   pcr.key        signs the policy that opens the volumes (PCR 11)
#   update.key     signs updates; update.pem, its public half, is in every root
#
# Whoever has these keys decides what an appliance runs: keep those of production off the machine that builds.
set -euo pipefail

FOLDER="${1:?which folder?}"
YEARS=20

say() { printf 'keys: %s\n' "$*"; }

# A time of signing that does not change, in the form that the tool wants.
WHEN="2026-01-01 00:00:00"
# Who owns the variables of Secure Boot: any constant of ours.
OWNER=6b696972-7465-6500-8000-000000000002

secure_boot_key() {
    local name=$1
    [ -e "$FOLDER/$name.pem" ] || make_certificate "$name"
    [ -e "$FOLDER/$name.esl" ] || cert-to-efi-sig-list -g "$OWNER" "$FOLDER/$name.pem" "$FOLDER/$name.esl"
}

make_certificate() {
    local name=$1
    say "$name of Secure Boot"
    openssl req -new -x509 -newkey rsa:2048 -noenc -sha256 -days $((YEARS * 365)) -subj "/CN=Kiirtee $name/" \
        -keyout "$FOLDER/$name.key" -out "$FOLDER/$name.pem" 2>/dev/null
}

# Each list is signed by the key above it; the first by itself.
enrolment() {
    local name=$1 signer=$2
    [ ! -e "$FOLDER/$name.auth" ] || return 0
    sign-efi-sig-list -g "$OWNER" -t "$WHEN" -k "$FOLDER/$signer.key" -c "$FOLDER/$signer.pem" \
        "$name" "$FOLDER/$name.esl" "$FOLDER/$name.auth" >/dev/null
}

umask 077
mkdir -p "$FOLDER"
for name in PK KEK db; do secure_boot_key "$name"; done
enrolment PK PK
enrolment KEK PK
enrolment db KEK
[ -e "$FOLDER/pcr.key" ] || openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$FOLDER/pcr.key"
[ -e "$FOLDER/update.key" ] || openssl genpkey -quiet -algorithm ED25519 -out "$FOLDER/update.key"
openssl pkey -in "$FOLDER/update.key" -pubout -out "$FOLDER/update.pem"
