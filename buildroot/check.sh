#!/usr/bin/env bash
# Checks the tree for Buildroot as far as that goes without building everything: check.sh
#
#   * the scripts of board/ make, from the heap of packages that `make image` fetched, the root that `make image` made:
#     the same root hash. Skipped where there is no image (image/out, or $KIIRTEE_IMAGE).
#   * where BUILDROOT_DIR names a Buildroot (2026.05.1): the configuration is accepted, no line of it is lost, and our packages
#     are among those that would be built. Skipped where it names none.
#
# Exit codes: 0 nothing wrong (what was skipped is said), 1 something is wrong.
set -euo pipefail

cd "$(dirname "$0")/.."
. .ci/environment
HERE="$PWD/buildroot"
IMAGE="$(realpath -m "${KIIRTEE_IMAGE:-image/out}")"
TREES="${XDG_CACHE_HOME:-$HOME/.cache}/kiirtee/image/trees"
WORK="$(mktemp -d)"
trap 'rm -rf "$WORK"' EXIT

say() { printf 'buildroot: %s\n' "$*"; }
fail() { printf 'buildroot: %s\n' "$@" >&2; exit 1; }
root_hash() { sed -n 's/.*"root_hash": "\([0-9a-f]*\)".*/\1/p' "$1"; }

check_syntax() {
    local script
    for script in "$HERE"/board/*.sh "$HERE/board/settings" "$HERE/check.sh"; do
        bash -n "$script" || fail "$script is no bash"
    done
    say "the scripts are readable"
}

# What Buildroot would have built, made of Debian's packages: everything in one folder, far more than the root has.
make_heap() {
    local tree
    mkdir -p "$WORK/target/usr/bin"
    for tree in "$TREES"/*/; do
        case $tree in */linux-image-*) continue ;; esac
        cp -a "$tree/." "$WORK/target/"
    done
    cp "$IMAGE"/work/bin/* "$WORK/target/usr/bin/"
}

check_scripts() {
    local mkimage made kernel keys
    mkimage="${KIIRTEE_MKIMAGE:-$CARGO_TARGET_DIR/release/mkimage}"
    keys="${KIIRTEE_KEYS:-$IMAGE/../keys}"
    if [ ! -e "$IMAGE/image.json" ] || [ ! -d "$TREES" ] || [ ! -x "$mkimage" ]; then
        say "SKIPPED: the scripts were not run; they need what \`make image\` leaves in $IMAGE"
        return
    fi
    make_heap
    kernel="$(echo "$TREES"/linux-image-*/boot/vmlinuz-*)"
    export BINARIES_DIR="$WORK/images" HOST_DIR=/usr KIIRTEE_MKIMAGE="$mkimage" KIIRTEE_KERNEL="$kernel" KIIRTEE_KEYS="$keys"
    export KIIRTEE_LOADER="$WORK/target/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
    KIIRTEE_VERSION="$(sed -n 's/.*"version": "\(.*\)".*/\1/p' "$IMAGE/image.json")"
    export KIIRTEE_VERSION
    mkdir -p "$BINARIES_DIR"
    "$HERE/board/post-build.sh" "$WORK/target" || fail "post-build.sh fails"
    "$HERE/board/post-image.sh" "$BINARIES_DIR" >"$WORK/log" 2>&1 || fail "post-image.sh fails:" "$(tail -5 "$WORK/log")"
    made="$(root_hash "$BINARIES_DIR/kiirtee/out/image.json")"
    [ "$made" = "$(root_hash "$IMAGE/image.json")" ] ||
        fail "the root differs from that of $IMAGE: $made" "$(diff -rq --no-dereference "$BINARIES_DIR/kiirtee/root" "$IMAGE/work/root" 2>&1 | head -20)"
    say "the scripts make the same root as make image: $made"
}

check_configuration() {
    if [ -z "${BUILDROOT_DIR:-}" ]; then
        say "SKIPPED: the configuration was not tried; BUILDROOT_DIR names no Buildroot"
        return
    fi
    local defconfig="$HERE/configs/kiirtee_x86_64_defconfig" make=(make -s -C "$BUILDROOT_DIR" O="$WORK/output" BR2_EXTERNAL="$HERE")
    local name
    "${make[@]}" kiirtee_x86_64_defconfig >"$WORK/log" 2>&1 || fail "Buildroot does not take the configuration:" "$(tail -5 "$WORK/log")"
    # A line that cannot be had, or has lost what it depends on, is dropped without a word.
    "$BUILDROOT_DIR/support/scripts/check-dotconfig.py" "$WORK/output/.config" "$defconfig" || fail "lines of the configuration are lost"
    "${make[@]}" show-info >"$WORK/packages.json" 2>"$WORK/log" || fail "Buildroot cannot tell its packages:" "$(tail -5 "$WORK/log")"
    for name in kiirtee host-kiirtee systemd linux cryptsetup tpm2-tss host-erofs-utils; do
        grep -q "\"$name\": {" "$WORK/packages.json" || fail "$name would not be built"
    done
    "${make[@]}" printvars VARS='LINUX_KCONFIG_DEFCONFIG LINUX_KCONFIG_FRAGMENT_FILES' >"$WORK/kernel" 2>"$WORK/log" || fail "$(tail -5 "$WORK/log")"
    grep -qx 'LINUX_KCONFIG_DEFCONFIG=tinyconfig' "$WORK/kernel" || fail "the kernel's configuration does not begin with tinyconfig:" "$(cat "$WORK/kernel")"
    for name in systemd/kernel/*.config; do
        grep -q "${name##*/}" "$WORK/kernel" || fail "the kernel's configuration lacks $name:" "$(cat "$WORK/kernel")"
    done
    say "the configuration is accepted, nothing of it is lost, $(grep -o '"type": "' "$WORK/packages.json" | wc -l) packages would be built"
}

check_syntax
check_scripts
check_configuration
