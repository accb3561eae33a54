#!/usr/bin/env bash
# Makes the whole file system of one service's image: the program, the libraries it is linked with, certificates of public
# authorities, a user, a bill of materials. No shell, no package manager, nothing that is not named here.
# Usage: root.sh SERVICE BINARIES-FOLDER DESTINATION     (the Dockerfile and assemble.sh call it)
set -euo pipefail

service=$1 binaries=$2 root=$3
here=$(cd "$(dirname "$0")" && pwd)
fail() { echo "root.sh: $*" >&2; exit 1; }

case $service in
    control-plane | resolver | evidence-vault | ratelimit | console) programs=$service ;;
    # The worker runs the engine, a process without rights for each file, from beside its own program.
    preflight-gateway) programs="preflight-gateway preflight-engine" ;;
    *) fail "there is no service '$service': control-plane, resolver, preflight-gateway, evidence-vault, ratelimit or console" ;;
esac
[ ! -e "$root" ] || [ -z "$(ls -A "$root")" ] || fail "$root is not empty"
[ -r /etc/ssl/certs/ca-certificates.crt ] || fail "no certificates of authorities here: install ca-certificates"

mkdir -p "$root"/{etc/ssl/certs,etc/mintmark,usr/local/bin,usr/share/sbom,var/lib/mintmark}
packages="ca-certificates"

library() { # the path of a shared library, which keeps it in the image
    local package
    [ -e "$root$1" ] && return 0
    # Without following: the folder may be reached through a link (/lib is one), the image has plain folders.
    install -D -m 755 "$(realpath "$1")" "$root$1"
    package=$(dpkg -S "$1" "$(realpath "$1")" "/usr$1" 2>/dev/null | head -n1 | cut -d' ' -f1) || true
    [ -z "$package" ] || packages="$packages ${package%:}"
}

for program in $programs; do
    [ -x "$binaries/$program" ] || fail "$binaries/$program is missing: build it first (cargo build --bins)"
    # Function names stay, for backtraces; lines do not.
    strip --strip-debug -o "$root/usr/local/bin/$program" "$binaries/$program"
    chmod 755 "$root/usr/local/bin/$program"
    for file in $(ldd "$binaries/$program" | grep -oE '/[^ ]+'); do library "$file"; done
done
# One path for every image's entry point.
ln -s "$service" "$root/usr/local/bin/service"

if [ "$service" = evidence-vault ]; then
    # The module that drives a token is the operator's, mounted or added at this place; these are what modules are linked with.
    mkdir -p "$root/usr/lib/pkcs11"
    triplet=$(cd "$root" && dirname "$(find . -name 'libc.so.6' | head -n1)")
    for name in libstdc++.so.6 libcrypto.so.3 libdl.so.2 libpthread.so.0 librt.so.1; do
        file="/${triplet#./}/$name"
        [ -e "$file" ] || fail "$file is missing: install libstdc++6 and libssl3"
        library "$file"
    done
fi

install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'mintmark:x:65532:65532::/:/nonexistent' >"$root/etc/passwd"
echo 'mintmark:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
# What a service writes is a volume at one of these; without one they are as read-only as the rest.
case $service in
    resolver) mkdir "$root/var/lib/mintmark/spool" ;;
    evidence-vault) mkdir "$root/var/lib/mintmark/keystore" ;;
esac
# A volume that is empty takes the owner of the folder that it is mounted on.
if [ "$(id -u)" = 0 ]; then chown -R 65532:65532 "$root/var/lib/mintmark"; fi
# shellcheck disable=SC2086
python3 "$here/sbom.py" "$service" $packages >"$root/usr/share/sbom/$service.cdx.json"
