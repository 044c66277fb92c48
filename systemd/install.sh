#!/usr/bin/env bash
# Installs units, users, folders, kernel settings and defaults of Kiirtee below DESTDIR, and says what it writes:
#
#   install.sh [--appliance] [--binaries FOLDER] DESTDIR
#
# DESTDIR is / on a running host, or the root of a system that is being made. --binaries also installs the programs from FOLDER.
# --appliance adds what only the appliance has, makes the users and applies the presets in DESTDIR. Nothing is started. Files
# that an operator may have changed (/etc/kiirtee) are never overwritten. Run twice, it changes nothing.
set -euo pipefail

HERE="$(cd "$(dirname "$0")" && pwd)"
PROGRAMS="kiirtee-proxy kiirtee-signer kiirtee-confclient"
# Units that get hardening.conf.
HARDENED="kiirtee-proxy kiirtee-signer kiirtee-confclient"
APPLIANCE_HARDENED="kiirtee-provision kiirtee-medium kiirtee-configure kiirtee-enrol kiirtee-factory-reset kiirtee-monitor
    kiirtee-health kiirtee-console@ kiirtee-tune kiirtee-update kiirtee-update-settle"

say() { printf 'install: %s\n' "$*"; }
fail() { printf 'install: %s\n' "$@" >&2; exit 2; }

APPLIANCE=""
BINARIES=""
DESTDIR=""
while [ $# -gt 0 ]; do
    case $1 in
        --appliance) APPLIANCE=yes ;;
        --binaries) BINARIES="${2:?--binaries: which folder?}"; shift ;;
        -*) fail "no such option: $1" "usage: install.sh [--appliance] [--binaries FOLDER] DESTDIR" ;;
        *) [ -z "$DESTDIR" ] || fail "one DESTDIR only"; DESTDIR="$1" ;;
    esac
    shift
done
[ -d "$DESTDIR" ] || fail "usage: install.sh [--appliance] [--binaries FOLDER] DESTDIR" "DESTDIR is the root of a system: an existing folder"
# Without the last slash, so that paths below it begin with one.
DESTDIR="$(cd "$DESTDIR" && pwd)"
DESTDIR="${DESTDIR%/}"

# put SOURCE PATH [MODE]: a file at a path of the system. One that is the same already is left alone.
put() {
    if ! cmp -s "$1" "$DESTDIR$2"; then
        install -D -m "${3:-0644}" "$1" "$DESTDIR$2"
        say "$2"
    fi
}

# put_all FOLDER PATH: the files of a folder of this one.
put_all() {
    local file
    for file in "$HERE/$1"/*; do
        [ ! -f "$file" ] || put "$file" "$2/${file##*/}"
    done
}

install_programs() {
    local name
    # The appliance has no shell to type the operator's command at, and a program of its own.
    local more=kiirtee
    [ -z "$APPLIANCE" ] || more=kiirtee-appliance
    for name in $PROGRAMS $more; do
        [ -x "$BINARIES/$name" ] || fail "$BINARIES/$name is missing: cargo build --release first"
        put "$BINARIES/$name" "/usr/bin/$name" 0755
    done
}

install_units() {
    local unit name
    for unit in "$HERE"/units/kiirtee*; do
        put "$unit" "/usr/lib/systemd/system/${unit##*/}"
    done
    for name in $HARDENED; do
        put "$HERE/units/hardening.conf" "/usr/lib/systemd/system/$name.service.d/10-hardening.conf"
    done
    put_all sysusers.d /usr/lib/sysusers.d
    put_all tmpfiles.d /usr/lib/tmpfiles.d
    put_all sysctl.d /usr/lib/sysctl.d
}

# The settings as they are delivered, and those of the host, which its operator changes.
install_settings() {
    local file
    put_all preset /usr/lib/systemd/system-preset
    put_all defaults /usr/share/kiirtee/defaults
    put_all examples /usr/share/doc/kiirtee/examples
    for file in "$HERE"/defaults/*.toml; do
        [ -e "$DESTDIR/etc/kiirtee/${file##*/}" ] || put "$file" "/etc/kiirtee/${file##*/}"
    done
}

# The delivered settings of the appliance are those of hosts and, after them, its own, which win.
install_appliance_settings() {
    local file own joined
    joined="$(mktemp)"
    for file in "$HERE"/defaults/*.toml; do
        own="$HERE/appliance/defaults/${file##*/}"
        [ -e "$own" ] || own=/dev/null
        # The same name must not stand there twice.
        awk -F ' = ' 'FILENAME == ARGV[1] { if (NF > 1) own[$1]; next } !($1 in own)' "$own" "$file" >"$joined"
        cat "$own" >>"$joined"
        put "$joined" "/usr/share/kiirtee/defaults/${file##*/}"
    done
    rm -f "$joined"
    # Settings are made by provisioning, where they can be written.
    make_link ../var/lib/kiirtee/etc /etc/kiirtee
    make_link ../run/kiirtee/resolv.conf /etc/resolv.conf
}

# make_link TARGET PATH
make_link() {
    [ "$(readlink "$DESTDIR$2" || true)" != "$1" ] || return 0
    [ ! -d "$DESTDIR$2" ] || [ -L "$DESTDIR$2" ] || fail "$DESTDIR$2 is a folder and should be a link to $1"
    mkdir -p "$(dirname "$DESTDIR$2")"
    ln -sfn "$1" "$DESTDIR$2"
    say "$2 -> $1"
}

install_appliance() {
    local folder unit
    put_all appliance/units /usr/lib/systemd/system
    for unit in $APPLIANCE_HARDENED; do
        put "$HERE/units/hardening.conf" "/usr/lib/systemd/system/$unit.service.d/10-hardening.conf"
    done
    for folder in "$HERE"/appliance/dropins/*; do
        put_all "appliance/dropins/${folder##*/}" "/usr/lib/systemd/system/${folder##*/}"
    done
    put_all appliance/sysusers.d /usr/lib/sysusers.d
    put_all appliance/tmpfiles.d /usr/lib/tmpfiles.d
    put_all appliance/sysctl.d /usr/lib/sysctl.d
    put_all appliance/preset /usr/lib/systemd/system-preset
    for folder in system.conf.d journald.conf.d timesyncd.conf.d networkd.conf.d; do
        put_all "appliance/$folder" "/usr/lib/systemd/$folder"
    done
    put_all appliance/udev /usr/lib/udev/rules.d
    put_all appliance/etc /etc
    # The keyboard restarts nothing.
    make_link /dev/null /etc/systemd/system/ctrl-alt-del.target
    for folder in repart.d sysupdate.d; do
        put_all "$folder" "/usr/lib/$folder"
    done
}

# Users and enabled units are part of the image: nothing can be written there later.
finish_appliance() {
    systemd-sysusers --root="$DESTDIR" basic.conf kiirtee.conf kiirtee-appliance.conf
    # Locks and former versions are no part of it.
    rm -f "$DESTDIR"/etc/{.pwd.lock,passwd-,group-,shadow-,gshadow-}
    systemctl --root="$DESTDIR" preset-all
}

[ -z "$BINARIES" ] || install_programs
install_units
if [ -n "$APPLIANCE" ]; then
    install_appliance_settings
    install_appliance
    finish_appliance
else
    install_settings
fi
say "done"
