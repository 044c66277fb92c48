#!/usr/bin/env bash
# Makes the appliance's root from what Buildroot has built: post-build.sh TARGET_DIR. Buildroot calls it before it makes images.
#
# Buildroot's target is to this what Debian's packages are to image/build: a heap to take from. What is taken, and what is
# put there besides, is said in systemd/ and nowhere else. The root is BINARIES_DIR/kiirtee/root.
#
# Environment, as Buildroot gives it: BINARIES_DIR, HOST_DIR.
# Ours: KIIRTEE_VERSION (the workspace's), KIIRTEE_KEYS (BINARIES_DIR/kiirtee/keys), KIIRTEE_MKIMAGE (kiirtee-mkimage of HOST_DIR).
set -euo pipefail

TARGET="$(realpath "${1:?which target folder?}")"
HERE="$(cd "$(dirname "$0")" && pwd)"
REPOSITORY="$(cd "$HERE/../.." && pwd)"
WORK="${BINARIES_DIR:?set by Buildroot}/kiirtee"
ROOT="$WORK/root"
PACKAGES="$WORK/packages"
PATH="${HOST_DIR:-/usr}/bin:$PATH"
. "$HERE/settings"

say() { printf 'kiirtee: %s\n' "$*"; }
fail() { printf 'kiirtee: %s\n' "$@" >&2; exit 2; }

# link_names TREE: Debian's names for what is there under Buildroot's.
link_names() {
    local path target
    while read -r path target; do
        case $path in '' | '#'*) continue ;; esac
        [ -e "$1$path" ] || [ -L "$1$path" ] || { mkdir -p "$(dirname "$1$path")" && ln -s "$target" "$1$path"; }
    done <"$HERE/names"
}

# The target looks like a folder of packages, of which there is one, and again under the name that certificates are taken from.
offer_target() {
    rm -rf "$PACKAGES" && mkdir -p "$PACKAGES"
    cp -al "$TARGET" "$PACKAGES/buildroot"
    link_names "$PACKAGES/buildroot"
    ln -s buildroot "$PACKAGES/ca-certificates"
}

make_root() {
    local from=(--manifest "$REPOSITORY/systemd/root.manifest" --packages "$PACKAGES" --tree "$ROOT")
    rm -rf "$ROOT" && mkdir -p "$ROOT"
    # The loader of Buildroot's C library looks for libraries where Buildroot has them.
    [ -e "$TARGET/usr/lib/x86_64-linux-gnu" ] || { mkdir -p "$ROOT/usr/lib" && ln -s . "$ROOT/usr/lib/x86_64-linux-gnu"; }
    "$KIIRTEE_MKIMAGE" keep "${from[@]}" --version "$KIIRTEE_VERSION"
    "$REPOSITORY/systemd/install.sh" --appliance --binaries "$TARGET/usr/bin" "$ROOT" >"$WORK/install.log" 2>&1 ||
        fail "systemd/install.sh:" "$(tail -5 "$WORK/install.log")"
    install -m 0644 "$KIIRTEE_KEYS/update.pem" "$ROOT/usr/lib/kiirtee/update.pem"
    "$KIIRTEE_MKIMAGE" complete "${from[@]}"
    "$KIIRTEE_MKIMAGE" check "$ROOT"
}

command -v systemd-sysusers >/dev/null || fail "systemd-sysusers is missing on this machine; Buildroot does not build it for the host"
umask 022
mkdir -p "$WORK"
"$REPOSITORY/image/keys.sh" "$KIIRTEE_KEYS"
say "root of version $KIIRTEE_VERSION"
offer_target
make_root
