#!/bin/sh
# The folders of logs on a machine of a Swarm that has no data. Rendered by `lucid deploy render` from src/lucid/catalog; edit that.
# On the one with the data `lucid deploy init` makes them all.
set -eu

for name in \
    lucid-auth-service \
    service-mesh \
    session-anchoring \
    session-processor \
    session-pipeline \
    rdp-server-manager \
    rdp-monitor \
    node-management
do
    install -d -m 0700 -o 65532 -g 65532 "${LUCID_LOGS_ROOT:-/mnt/myssd/Lucid/logs}/$name"
done
