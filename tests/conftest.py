"""What all tests share: a group of Unix accounts that is this run's own.

Desktops are real accounts of the machine. A platform that a test starts as root makes them in this group, so that two
runs on one machine, or an installation in use, do not meet; what a killed platform left is removed at the end.
"""

import grp
import os

import pytest

from lucid.base.errors import LucidError
from lucid.drivers.xrdp import accounts

GROUP = f"lucid-test-{os.getpid()}"


def pytest_configure() -> None:
    os.environ["LUCID_RDP_XRDP_GROUP"] = GROUP


def pytest_unconfigure() -> None:
    try:
        grp.getgrnam(GROUP)
    except KeyError:
        return
    for user in accounts.members(GROUP):
        try:
            accounts.remove(GROUP, user)
        except LucidError as error:
            pytest.exit(f"account {user} is still there: {error}", returncode=1)
    accounts.run("groupdel", GROUP)
