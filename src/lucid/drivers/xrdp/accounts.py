"""Unix accounts of desktops, by the system's own tools. All functions block; passwords go through standard input."""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from lucid.base.errors import Conflict, InvalidInput, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.ports.machine import AccountUse

TERMINATE_S = 1.5
KILL_S = 2.0
_SHELL = "/bin/bash"
_LIMIT_S = 20.0
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - where desktops leave files, which go with them
_DISPLAYS = ("/tmp/.X11-unix",)  # noqa: S108 - a killed X server's socket would keep its number taken
_HOME_MODE = 0o700


def run(*arguments: str, stdin: str = "") -> None:
    """Run a tool. Raises Unavailable with the last line that it says."""
    try:
        done = subprocess.run(arguments, input=stdin, text=True, capture_output=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{arguments[0]}: {type(error).__name__}") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Unavailable(f"{arguments[0]}: {said[-1] if said else f'exit status {done.returncode}'}")


def make_group(group: str) -> None:
    """The group that marks our accounts; it may be there."""
    run("groupadd", "--force", group)


def members(group: str) -> list[str]:
    """Names of our accounts, sorted."""
    with contextlib.suppress(KeyError):
        return sorted(grp.getgrnam(group).gr_mem)
    return []


def account(group: str, user: str) -> pwd.struct_passwd:
    """Our account of that name. Raises NotFound for any other."""
    with contextlib.suppress(KeyError):
        if user in members(group):
            return pwd.getpwnam(user)
    raise NotFound(f"no desktop account {user}")


def create(group: str, user: str, home: Path, skeleton: Path) -> None:
    """The account with its home; whatever of it is there stays. Raises Conflict for an account that is not ours."""
    try:
        account(group, user)
    except NotFound:
        with contextlib.suppress(KeyError):
            pwd.getpwnam(user)
            raise Conflict(f"the account {user} exists and is no desktop's") from None
        make_group(group)
        run("useradd", "--no-create-home", "--home-dir", str(home), "--shell", _SHELL, "--user-group",
            "--groups", group, "--comment", "Lucid desktop", user)  # fmt: skip
    _make_home(account(group, user), skeleton)


def set_password(group: str, user: str, password: Secret) -> None:
    """Raises NotFound for an account that is not ours, InvalidInput for a password that is more than a line."""
    account(group, user)
    if not password.reveal().isprintable():  # chpasswd would take a second line for another account's password
        raise InvalidInput("password: expected printable characters", field="password")
    run("chpasswd", stdin=f"{user}:{password.reveal()}\n")


def remove(group: str, user: str) -> None:
    """The account, its processes, its home and its temporary files; doing so twice is no error."""
    try:
        entry = account(group, user)
    except NotFound:
        return
    # No new login while the old ones are ended.
    run("usermod", "--lock", "--expiredate", "1", user)
    end_processes(group, user)
    _remove_files(entry)
    run("userdel", user)


def renew_home(group: str, user: str, skeleton: Path) -> None:
    """A fresh home, and nothing left of the old one. Raises NotFound."""
    entry = account(group, user)
    end_processes(group, user)
    _remove_files(entry)
    _make_home(entry, skeleton)


def end_processes(group: str, user: str) -> bool:
    """End all that runs under the account; whether anything did. Raises NotFound, Unavailable when it does not end."""
    uid = account(group, user).pw_uid
    found = _processes({uid})[uid]
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            process.send_signal(signal.SIGHUP)  # shells heed this one alone
    psutil.wait_procs(found, timeout=TERMINATE_S)
    # Killed until none is left: one may have started another meanwhile.
    for _ in range(5):
        if not (left := _processes({uid})[uid]):
            _remove_owned(uid, _DISPLAYS)
            return bool(found)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=KILL_S)
    raise Unavailable(f"processes of {user} do not end")


def uses(group: str) -> list[AccountUse]:
    """Our accounts and what runs under each."""
    entries = [account(group, user) for user in members(group)]
    processes = _processes({entry.pw_uid for entry in entries})
    return [_use(entry.pw_name, processes[entry.pw_uid]) for entry in entries]


def _use(user: str, processes: list[psutil.Process]) -> AccountUse:
    count, cpu_s, memory_bytes = 0, 0.0, 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info().rss
            count, cpu_s, memory_bytes = count + 1, cpu_s + times.user + times.system, memory_bytes + memory
    return AccountUse(user=user, processes=count, cpu_s=cpu_s, memory_bytes=memory_bytes)


def _processes(uids: set[int]) -> dict[int, list[psutil.Process]]:
    """Processes that live, for each of the user ids."""
    found: dict[int, list[psutil.Process]] = {uid: [] for uid in uids}
    for process in psutil.process_iter() if uids else ():
        with contextlib.suppress(psutil.Error):
            if (uid := process.uids().real) in uids and process.status() != psutil.STATUS_ZOMBIE:
                found[uid].append(process)
    return found


def _make_home(entry: pwd.struct_passwd, skeleton: Path) -> None:
    """The home, complete or not at all; one that is there is given to the account, whose number may be new."""
    home = Path(entry.pw_dir)
    try:
        if not home.exists():
            fresh = home.with_name(f".{home.name}.new")
            _remove_tree(fresh)
            home.parent.mkdir(parents=True, exist_ok=True)
            if skeleton.is_dir():
                shutil.copytree(skeleton, fresh, symlinks=True)
            else:
                fresh.mkdir()
            fresh.chmod(_HOME_MODE)
            _give(fresh, entry)
            fresh.rename(home)
        elif home.lstat().st_uid != entry.pw_uid:
            _give(home, entry)
    except OSError as error:
        raise Unavailable(f"home of {entry.pw_name}: {error.strerror}: {error.filename}") from None


def _give(folder: Path, entry: pwd.struct_passwd) -> None:
    """`folder` and all in it to the account, without following links."""
    os.lchown(folder, entry.pw_uid, entry.pw_gid)
    for root, folders, files, at in os.fwalk(folder, follow_symlinks=False):
        del root
        for name in folders + files:
            os.chown(name, entry.pw_uid, entry.pw_gid, dir_fd=at, follow_symlinks=False)


def _remove_files(entry: pwd.struct_passwd) -> None:
    """The home, and what the account left in the folders for everybody."""
    try:
        _remove_tree(Path(entry.pw_dir))
        _remove_owned(entry.pw_uid, _TEMPORARY)
    except OSError as error:
        raise Unavailable(f"files of {entry.pw_name}: {error.strerror}: {error.filename}") from None


def _remove_owned(uid: int, folders: tuple[str, ...]) -> None:
    for folder in map(Path, folders):
        for path in folder.iterdir() if folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_uid == uid:
                    _remove_tree(path)


def _remove_tree(path: Path) -> None:
    """A file, link or folder, if there is one. (rmtree does not follow links that are put in its way.)"""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
