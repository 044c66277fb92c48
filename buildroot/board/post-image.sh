#!/usr/bin/env bash
# Makes disk, kernel image and update set from the root of post-build.sh and Buildroot's kernel: post-image.sh BINARIES_DIR.
# Buildroot calls it last. Everything is in BINARIES_DIR/kiirtee/out, as image/build writes it.
#
# Environment: see post-build.sh; KIIRTEE_FLOOR, the oldest version that may be installed once this one was good (this one).
# KIIRTEE_KERNEL, KIIRTEE_LOADER and KIIRTEE_STUB where they are not Buildroot's.
set -euo pipefail

BINARIES_DIR="$(realpath "${1:?which folder of images?}")"
HERE="$(cd "$(dirname "$0")" && pwd)"
REPOSITORY="$(cd "$HERE/../.." && pwd)"
WORK="$BINARIES_DIR/kiirtee"
PATH="${HOST_DIR:-/usr}/bin:$PATH"
. "$HERE/settings"
TARGET="$WORK/packages/buildroot"
KERNEL="${KIIRTEE_KERNEL:-$BINARIES_DIR/bzImage}"
LOADER="${KIIRTEE_LOADER:-$BINARIES_DIR/efi-part/EFI/BOOT/bootx64.efi}"
STUB="${KIIRTEE_STUB:-$TARGET/usr/lib/systemd/boot/efi/linuxx64.efi.stub}"

fail() { printf 'kiirtee: %s\n' "$@" >&2; exit 2; }

# The release of a kernel image, as `uname -r` will say: the text that the header points at (Documentation/arch/x86/boot.rst,
# kernel_version: two bytes at 0x20e, from 0x200 on).
kernel_release() {
    local place
    place=$(($(od -An -tu2 -j$((0x20e)) -N2 "$1") + 0x200))
    dd if="$1" bs=1 skip="$place" count=128 status=none | tr '\0' '\n' | sed -n '1s/ .*//p'
}

for file in "$KERNEL" "$LOADER" "$STUB" "$WORK/root"; do
    [ -e "$file" ] || fail "$file is missing"
done
RELEASE="$(kernel_release "$KERNEL")"
[ -n "$RELEASE" ] || fail "$KERNEL does not say which release it is"

umask 022
mkdir -p "$WORK/out"
"$KIIRTEE_MKIMAGE" pack --tree "$WORK/root" --kernel "$KERNEL" --kernel-release "$RELEASE" \
    --init "$TARGET/usr/bin/kiirtee-initrd" --definitions "$REPOSITORY/systemd" --keys "$KIIRTEE_KEYS" \
    --stub "$STUB" --loader "$LOADER" \
    --version "$KIIRTEE_VERSION" --floor "$KIIRTEE_FLOOR" --out "$WORK/out"
