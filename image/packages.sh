#!/usr/bin/env bash
# Fetches the packages of packages.list from Debian and unpacks them: packages.sh CACHE. Archives stay in CACHE/archives,
# the trees are CACHE/trees/PACKAGE, and CACHE/packages.lock says name, version and SHA-256 of each. No maintainer
# script runs and nothing of this machine's package system is used or changed. Signatures are checked by apt with
# Debian's archive keys. DEBIAN_SNAPSHOT=20261101T000000Z takes the packages as they were then.
set -euo pipefail

HERE="$(cd "$(dirname "$0")" && pwd)"
CACHE="$(mkdir -p "${1:?where to}" && cd "$1" && pwd)"
. "$HERE/apt.sh"
SUITE=trixie

say() { printf 'packages: %s\n' "$*"; }
fail() { printf 'packages: %s\n' "$@" >&2; exit 1; }

[ -f "$KEYRING" ] || fail "$KEYRING is missing: install debian-archive-keyring"

mirrors() {
    if [ -n "${DEBIAN_SNAPSHOT:-}" ]; then
        printf 'deb [signed-by=%s check-valid-until=no] https://snapshot.debian.org/archive/debian/%s %s main\n' "$KEYRING" "$DEBIAN_SNAPSHOT" "$SUITE"
        return
    fi
    printf 'deb [signed-by=%s] http://deb.debian.org/debian %s main\n' "$KEYRING" "$SUITE"
    printf 'deb [signed-by=%s] http://deb.debian.org/debian-security %s-security main\n' "$KEYRING" "$SUITE"
}

# The names of the list; in place of the kernel's metapackage the package that it stands for.
names() {
    sed 's/#.*//' "$HERE/packages.list" | while read -r name; do
        case $name in
            '') ;;
            linux-image-*) apt-cache depends --important "$name" | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' ;;
            *) printf '%s\n' "$name" ;;
        esac
    done
}

# One line for each package: name, version, SHA-256, file.
lock() {
    local name file
    for name in $1; do
        file="$(find "$CACHE/archives" -name "${name}_*.deb" | sort -V | tail -1)"
        printf '%s %s %s\n' "$name" "$(dpkg-deb -f "$file" Version)" "$(sha256sum <"$file" | cut -d' ' -f1)"
    done
}

unpack() {
    local name=$1 file=$2 tree="$CACHE/trees/$1"
    [ "$(cat "$tree.from" 2>/dev/null)" != "$(basename "$file")" ] || return 0
    rm -rf "$tree" && mkdir -p "$tree"
    dpkg-deb --extract "$file" "$tree"
    basename "$file" >"$tree.from"
}

mkdir -p "$CACHE/archives" "$CACHE/trees"
private_apt "$CACHE/apt" "$(mirrors)"
wanted="$(names)"
say "$(wc -w <<<"$wanted") packages of Debian $SUITE"
# What was fetched before is not fetched again, and what is of an older version goes away.
# shellcheck disable=SC2086  # one word a package
(cd "$CACHE/archives" && apt-get download -qq $wanted)
for name in $wanted; do
    file="$(find "$CACHE/archives" -name "${name}_*.deb" | sort -V | tail -1)"
    find "$CACHE/archives" -name "${name}_*.deb" ! -path "$file" -delete
    unpack "$name" "$file"
done
lock "$wanted" >"$CACHE/packages.lock"
for tree in "$CACHE"/trees/*/; do
    grep -qxF "$(basename "$tree")" <<<"$wanted" || rm -rf "${tree%/}" "${tree%/}.from"
done
