#!/bin/sh
# The networks of Lucid on a Swarm; for its manager. Rendered by `lucid deploy render` from src/lucid/catalog; edit that.
#
# Run it as often as you like: a network that is there as it should be is left alone. One that differs is named and
# left alone too, and the exit status is 1: `docker network rm` it while nothing uses it, and run this again.
# DOCKER names another docker command; DOCKER_CONTEXT and DOCKER_HOST another engine.
set -eu

docker=${DOCKER:-docker}
format='{{range .IPAM.Config}}{{.Subnet}} {{end}}{{.Internal}} {{.Driver}}{{range $name, $_ := .Options}}{{if eq $name "encrypted"}} encrypted{{end}}{{end}}'
# Traffic between machines is encrypted, by IPsec (CONFIG_INET_ESP in the kernels of all), unless this says `false`.
case "${LUCID_SWARM_ENCRYPTED:-true}" in false) encrypted='' ;; *) encrypted=' encrypted' ;; esac
status=0

# network NAME SUBNET INTERNAL [OPTION...]
network() {
    name=$1 subnet=$2 internal=$3
    shift 3
    if ! found=$("$docker" network inspect --format "$format" "$name" 2>/dev/null); then
        "$docker" network create "$name" --driver overlay ${encrypted:+--opt encrypted} --subnet "$subnet" "$@" >/dev/null
        echo "$name: made"
    elif [ "$found" = "$subnet $internal overlay$encrypted" ]; then
        echo "$name: is there"
    else
        echo "$name: expected subnet, whether it is internal, driver and encryption to be \"$subnet $internal overlay$encrypted\", found \"$found\"" >&2
        status=1
    fi
}

# foundation, core, application and admin services
network lucid-pi-network 172.20.0.0/16 false --attachable

# payment services, apart from all others
network lucid-tron-isolated 172.21.0.0/16 true --attachable --internal

exit $status
