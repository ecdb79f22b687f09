#!/bin/sh
# The networks of Lucid. Rendered by `lucid deploy render` from src/lucid/catalog; edit that.
#
# Run it as often as you like: a network that is there as it should be is left alone. One that differs is named and
# left alone too, and the exit status is 1: `docker network rm` it while nothing uses it, and run this again.
# DOCKER names another docker command; DOCKER_CONTEXT and DOCKER_HOST another engine.
set -eu

docker=${DOCKER:-docker}
format='{{range .IPAM.Config}}{{.Subnet}} {{end}}{{.Internal}}'
status=0

# network NAME SUBNET INTERNAL [OPTION...]
network() {
    name=$1 subnet=$2 internal=$3
    shift 3
    if ! found=$("$docker" network inspect --format "$format" "$name" 2>/dev/null); then
        "$docker" network create "$name" --driver bridge --subnet "$subnet" "$@" >/dev/null
        echo "$name: made"
    elif [ "$found" = "$subnet $internal" ]; then
        echo "$name: is there"
    else
        echo "$name: expected subnet and whether it is internal to be \"$subnet $internal\", found \"$found\"" >&2
        status=1
    fi
}

# foundation, core, application and admin services
network lucid-pi-network 172.20.0.0/16 false \
    --gateway 172.20.0.1 --attachable \
    --opt com.docker.network.bridge.enable_icc=true \
    --opt com.docker.network.bridge.enable_ip_masquerade=true \
    --opt com.docker.network.driver.mtu=1500 \
    --opt com.docker.network.bridge.host_binding_ipv4=0.0.0.0

# payment services, apart from all others
network lucid-tron-isolated 172.21.0.0/16 true \
    --gateway 172.21.0.1 --attachable --internal \
    --opt com.docker.network.bridge.enable_icc=true \
    --opt com.docker.network.bridge.enable_ip_masquerade=false \
    --opt com.docker.network.driver.mtu=1500

# GUI services
network lucid-gui-network 172.22.0.0/16 false \
    --gateway 172.22.0.1 --attachable \
    --opt com.docker.network.bridge.enable_icc=true \
    --opt com.docker.network.bridge.enable_ip_masquerade=true \
    --opt com.docker.network.driver.mtu=1500 \
    --opt com.docker.network.bridge.host_binding_ipv4=0.0.0.0

# distroless base containers
network lucid-distroless-production 172.23.0.0/16 false \
    --gateway 172.23.0.1 --attachable \
    --opt com.docker.network.bridge.enable_icc=true \
    --opt com.docker.network.bridge.enable_ip_masquerade=true \
    --opt com.docker.network.driver.mtu=1500 \
    --opt com.docker.network.bridge.host_binding_ipv4=0.0.0.0

# distroless development containers
network lucid-distroless-dev 172.24.0.0/16 false \
    --gateway 172.24.0.1 --attachable \
    --opt com.docker.network.bridge.enable_icc=true \
    --opt com.docker.network.bridge.enable_ip_masquerade=true \
    --opt com.docker.network.driver.mtu=1500 \
    --opt com.docker.network.bridge.host_binding_ipv4=0.0.0.0

# containers of multi-stage builds
network lucid-multi-stage-network 172.25.0.0/16 false \
    --gateway 172.25.0.1 --attachable \
    --opt com.docker.network.bridge.enable_icc=true \
    --opt com.docker.network.bridge.enable_ip_masquerade=true \
    --opt com.docker.network.driver.mtu=1500 \
    --opt com.docker.network.bridge.host_binding_ipv4=0.0.0.0

# development of the Python and Java base images
network lucid-base-net 172.26.0.0/16 false \
    --gateway 172.26.0.1 --attachable \
    --opt com.docker.network.bridge.enable_icc=true \
    --opt com.docker.network.bridge.enable_ip_masquerade=true \
    --opt com.docker.network.driver.mtu=1500 \
    --opt com.docker.network.bridge.host_binding_ipv4=0.0.0.0

exit $status
