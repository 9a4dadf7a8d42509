#!/usr/bin/env bash
# A private Docker engine with a stand-in for the base image, for machines that reach no container registry: the
# project's own Dockerfile is then built and run unmodified. Needs root and a Debian package mirror.
#   engine.sh WORKDIR [IMAGE]     prints DOCKER_HOST=unix://WORKDIR/docker.sock as its last line
# The base archive (WORKDIR/base.tar) is kept for the next time. Stop the engine with: kill "$(cat WORKDIR/pid)"
set -euo pipefail
export LC_ALL=C

work=${1:?usage: engine.sh WORKDIR [IMAGE]}
image=${2:-python:3.13-slim-trixie}
suite=trixie
export DOCKER_HOST="unix://$work/docker.sock"

fail() { echo "engine.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail 'a private container engine needs root'
mkdir -p "$work"

if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null || ! command -v mmdebstrap >/dev/null; then
    command -v apt-get >/dev/null || fail 'neither dockerd and mmdebstrap nor apt-get are here'
    { apt-get update -q && apt-get install -y -q --no-install-recommends docker.io mmdebstrap; } \
        >"$work/apt.log" 2>&1 || fail "the packages docker.io and mmdebstrap could not be installed, see $work/apt.log"
fi

# The mirror is the machine's own: one-line sources first, then the deb822 form.
find_mirror() {
    { grep -rhoE '^(deb .*|URIs: *)https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null || true; } |
        { grep -oE 'https?://[^ ]+' || true; } | head -n 1
}

if [ ! -f "$work/base.tar" ]; then
    mirror=$(find_mirror)
    [ -n "$mirror" ] || fail 'no Debian mirror found in the apt configuration'
    # The stand-in gets this machine's additional certificate authorities, so that pip can verify what it reaches.
    # It is written under another name first: an interrupted run leaves no half archive behind.
    mmdebstrap -q --variant=minbase --include=ca-certificates,python3,python3-venv,python3-pip,tzdata \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='cp /usr/local/share/ca-certificates/*.crt "$1"/usr/local/share/ca-certificates/ 2>/dev/null || true' \
        --customize-hook='chroot "$1" update-ca-certificates >/dev/null' \
        --customize-hook='ln -s /usr/bin/python3 "$1"/usr/local/bin/python3; ln -s /usr/bin/python3 "$1"/usr/local/bin/python' \
        --customize-hook='rm -f "$1"/usr/lib/python3.*/EXTERNALLY-MANAGED' \
        "$suite" "$work/base.part.tar" "$mirror" >"$work/base.log" 2>&1 || fail "the base image could not be made, see $work/base.log"
    mv "$work/base.part.tar" "$work/base.tar"
fi

if ! docker info >/dev/null 2>&1; then
    setsid dockerd --data-root "$work/data" --exec-root "$work/exec" --host "$DOCKER_HOST" --pidfile "$work/pid" \
        >"$work/dockerd.log" 2>&1 </dev/null &
    for _ in $(seq 120); do
        docker info >/dev/null 2>&1 && break
        sleep 0.5
    done
    docker info >/dev/null 2>&1 || fail "dockerd did not come up within 60 s, see $work/dockerd.log"
fi

docker image inspect "$image" >/dev/null 2>&1 ||
    docker import -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'CMD ["python3"]' \
        "$work/base.tar" "$image" >/dev/null
echo "DOCKER_HOST=$DOCKER_HOST"
