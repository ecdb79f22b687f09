"""What the machines of a Swarm have before the stack comes: networks across all, and on each the folders of logs."""

from lucid.catalog.types import Network, Service
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog
from lucid.deploy.marks import MARK
from lucid.deploy.networks import Kind, script
from lucid.deploy.shared import USUAL

NETWORKS = "configs/docker/swarm/networks.sh"
FOLDERS = "configs/docker/swarm/folders.sh"
ENCRYPTED = "LUCID_SWARM_ENCRYPTED"

_SEEN = "{{range .IPAM.Config}}{{.Subnet}} {{end}}{{.Internal}} {{.Driver}}"
_SEEN_ENCRYPTED = '{{range $name, $_ := .Options}}{{if eq $name "encrypted"}} encrypted{{end}}{{end}}'
_OVERLAY = Kind(
    # Whatever the value of this option, with it the driver encrypts.
    driver="overlay ${encrypted:+--opt encrypted}",
    form=_SEEN + _SEEN_ENCRYPTED,
    wanted="$subnet $internal overlay$encrypted",
    terms="subnet, whether it is internal, driver and encryption",
    setting=f"""\
# Traffic between machines is encrypted, by IPsec (CONFIG_INET_ESP in the kernels of all), unless this says `false`.
case "${{{ENCRYPTED}:-true}}" in false) encrypted='' ;; *) encrypted=' encrypted' ;; esac
""",
)

_FOLDERS = """\
#!/bin/sh
# The folders of logs on a machine of a Swarm that has no data. {mark}
# On the one with the data `lucid deploy init` makes them all.
set -eu

for name in \\
    {names}
do
    install -d -m 0700 -o {uid} -g {gid} "{logs}/$name"
done
"""


def machine_files(catalog: Catalog) -> dict[str, str]:
    """Path to text."""
    uid, gid = USUAL.user.split(":")
    names = " \\\n    ".join(service.name for service in movable(catalog))
    calls = (_call(network) for network in used(catalog))
    return {
        NETWORKS: script("The networks of Lucid on a Swarm; for its manager.", _OVERLAY, calls),
        FOLDERS: _FOLDERS.format(mark=MARK, names=names, uid=uid, gid=gid, logs=variables.LOGS_ROOT),
    }


def movable(catalog: Catalog) -> tuple[Service, ...]:
    """The containers that need no disk but for logs: any machine can run them."""
    return tuple(service for service in catalog.services if "data" not in service.volumes)


def used(catalog: Catalog) -> tuple[Network, ...]:
    """The networks that containers are on."""
    return tuple(
        catalog.network(name) for name in sorted({name for piece in catalog.pieces for name in piece.networks})
    )


def _call(network: Network) -> str:
    internal, option = ("true", " --internal") if network.internal else ("false", "")
    return f"# {network.purpose}\nnetwork {network.name} {network.subnet} {internal} --attachable{option}\n"
