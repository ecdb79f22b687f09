import socket
from pathlib import Path

from lucid.drivers.xrdp.programs import clear_sockets


def test_sockets_that_nobody_has_are_removed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as alive, socket.socket(socket.AF_UNIX) as dead:
        alive.bind(str(tmp_path / "xrdp_display_10"))
        dead.bind(str(tmp_path / "xrdp_chansrv_socket_11"))
        alive.listen()
        dead.close()
        assert clear_sockets(tmp_path) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "xrdp_display_10"]
    assert clear_sockets(tmp_path) == 1
    assert clear_sockets(tmp_path / "missing") == 0
