"""The systemd unit that unlocks a deployment at boot, before Docker starts its containers again."""

from lucid.deploy.catalog import Catalog
from lucid.deploy.marks import MARK

UNIT = "configs/systemd/lucid-unlock.service"

_UNIT = """\
# {mark}
#
# Secrets are in memory only: after a boot they have to be put there before Docker starts the containers again.
#
#   install -m 0644 lucid-unlock.service /etc/systemd/system/ && systemctl enable lucid-unlock.service

[Unit]
Description=Lucid: secrets and settings into memory
# The disk of the deployment folder; with another LUCID_DEPLOY_DIR, change it here too.
RequiresMountsFor=/mnt/myssd/Lucid/deploy
Before=docker.service
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
# LUCID_DEPLOY_DIR and LUCID_DEPLOY_IDENTITY, where they are not the usual ones.
EnvironmentFile=-/etc/default/lucid
ExecStart=/usr/bin/env lucid deploy unlock
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/run
PrivateTmp=yes
PrivateNetwork=yes

[Install]
WantedBy=multi-user.target
RequiredBy=docker.service
"""


def systemd_files(_catalog: Catalog) -> dict[str, str]:
    """Path to text."""
    return {UNIT: _UNIT.format(mark=MARK)}
