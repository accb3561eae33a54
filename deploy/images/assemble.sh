#!/usr/bin/env bash
# Assembles the image of one service FROM scratch out of programs that are built already: the same image as the Dockerfile's.
# Usage: assemble.sh SERVICE [BINARIES-FOLDER]      the folder is target/release unless given
#
# MINTMARK_IMAGES  where buildah keeps images (default target/images); `buildah --storage-driver vfs --root $it/root --runroot $it/run images`
# IMAGE_PREFIX     what names start with (default localhost/mintmark)
# IMAGE_TAG        default: the version in Cargo.toml
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
service=${1:?usage: assemble.sh SERVICE [BINARIES-FOLDER]}
binaries=${2:-$top/target/release}
images=${MINTMARK_IMAGES:-$top/target/images}
version=$(sed -nE '/^\[workspace\.package\]/,/^\[/s/^version *= *"([^"]+)".*/\1/p' "$top/Cargo.toml")
revision=$(git -C "$top" rev-parse HEAD 2>/dev/null || echo unknown)
name=${IMAGE_PREFIX:-localhost/mintmark}/$service:${IMAGE_TAG:-$version}

command -v buildah >/dev/null || { echo "assemble.sh: buildah is missing: run deploy/setup/setup.sh test" >&2; exit 1; }
# Neither overlay mounts nor a daemon: this runs wherever a shell does.
export BUILDAH_ISOLATION=chroot
mkdir -p "$images"
build() { buildah --storage-driver vfs --root "$images/root" --runroot "$images/run" "$@"; }

work=$(mktemp -d "$images/assemble.XXXXXX")
container=
clean() {
    [ -z "$container" ] || build rm "$container" >/dev/null
    rm -rf "$work"
}
trap clean EXIT

"$top/deploy/images/root.sh" "$service" "$binaries" "$work/root"
container=$(build from scratch)
build copy --quiet "$container" "$work/root" / >/dev/null
# A copy belongs to root; what a service may write, where a volume is mounted there, is its own.
build copy --quiet --chown 65532:65532 "$container" "$work/root/var/lib/mintmark" /var/lib/mintmark >/dev/null
rm -rf "$work/root"
build config \
    --user 65532:65532 \
    --workingdir / \
    --entrypoint '["/usr/local/bin/service"]' \
    --stop-signal SIGTERM \
    --label "org.opencontainers.image.title=mintmark/$service" \
    --label "org.opencontainers.image.description=Mintmark: the service $service" \
    --label "org.opencontainers.image.version=$version" \
    --label "org.opencontainers.image.revision=$revision" \
    --label "org.opencontainers.image.licenses=Apache-2.0" \
    --label "org.opencontainers.image.vendor=Mintmark" \
    "$container"
build commit --quiet --format oci "$container" "$name" >/dev/null
echo "$name"
