"""What runs inside of images while they are built, and to check or to develop what came of it."""

import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from lucid.deploy.images import assemble, reload, selfcheck
from lucid.deploy.images.assemble import EPOCH_S

UNCHECKED_HASH = 0b01
"""The flags of a .pyc file whose source is not looked at (PEP 552)."""


def flags(compiled: Path) -> int:
    return int.from_bytes(compiled.read_bytes()[4:8], "little")


def test_the_standard_library_is_compiled_where_it_was_not(tmp_path: Path) -> None:
    library = tmp_path / f"lib/python3.{sys.version_info.minor}"
    (library / "email").mkdir(parents=True)
    (library / "os.py").write_text('"""Said."""\nx = 1\n')
    (library / "email/parser.py").write_text("y = 2\n")
    assemble.stdlib(tmp_path / "lib", tmp_path / "out")
    made = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    place = f"usr/lib/python3.{sys.version_info.minor}"
    tag = sys.implementation.cache_tag
    assert made == [f"{place}/__pycache__/os.{tag}.pyc", f"{place}/email/__pycache__/parser.{tag}.pyc"]
    assert flags(tmp_path / "out" / made[0]) == UNCHECKED_HASH
    assert f"/usr/lib/python3.{sys.version_info.minor}/os.py".encode() in (tmp_path / "out" / made[0]).read_bytes()
    assert b"Said." not in (tmp_path / "out" / made[0]).read_bytes()


def test_a_compiled_library_is_left_as_it_is(tmp_path: Path) -> None:
    library = tmp_path / f"lib/python3.{sys.version_info.minor}"
    (library / "__pycache__").mkdir(parents=True)
    (library / "os.py").write_text("x = 1\n")
    assemble.stdlib(tmp_path / "lib", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_another_python_in_the_base_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "python3.2").mkdir()
    (tmp_path / "python3.2/os.py").write_text("")
    with pytest.raises(SystemExit, match=r"the base image has python3\.2, the builder image Python"):
        assemble.stdlib(tmp_path, tmp_path / "out")


def test_the_same_code_is_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "src/sub").mkdir(parents=True)
    (tmp_path / "src/sub/module.py").write_text("z = [1, 2, 3]\n")
    (tmp_path / "src/__pycache__").mkdir()
    (tmp_path / "src/__pycache__/old.pyc").write_bytes(b"?")
    for out in ("one", "two"):
        assemble.code(tmp_path / "src", tmp_path / out)
    one, two = (
        {
            str(path.relative_to(tmp_path / out)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime)
            for path in (tmp_path / out).rglob("*")
        }
        for out in ("one", "two")
    )
    assert one == two
    assert not any("old" in path for path in one)
    assert {mtime for _, mtime in one.values()} == {EPOCH_S}


_MODULE = '''\
"""Said."""
from __future__ import annotations
async def ask(n):
    "What."
class Thing:
    "It."
    def check(n):
        assert n
'''


def test_bytecode_of_libraries_has_no_docstrings_but_asserts(tmp_path: Path) -> None:
    module = tmp_path / "thing.py"
    module.write_text(_MODULE)
    assemble.compiled(tmp_path, "/opt/lucid/deps")
    assemble.without_docstrings(tmp_path, "/opt/lucid/deps")
    shown = "t.__doc__, t.ask.__doc__, t.Thing.__doc__"
    done = subprocess.run(
        [sys.executable, "-c", f"import thing as t; print({shown}); t.Thing.check(0)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "None None None\n"
    assert "AssertionError" in done.stderr


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels, locks = tmp_path / "wheels", tmp_path / "locks"
    wheels.mkdir()
    locks.mkdir()
    with zipfile.ZipFile(wheels / "thing-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing.py", "")
        wheel.writestr("thing-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1\n")
        wheel.writestr("thing-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("thing-1.dist-info/RECORD", "")
    (locks / "image.txt").write_text(f"thing==1 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setenv("TARGETARCH", "arm64")
    monkeypatch.setenv("LOCK", "image.txt")
    with pytest.raises(subprocess.CalledProcessError):
        assemble.wheels(wheels, locks, tmp_path / "out")


def test_a_check_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("no such thing")

    monkeypatch.setitem(selfcheck.PROFILES, "base", (selfcheck.modules, broken))
    assert selfcheck.results("base", []) == {"modules": "", "broken": "RuntimeError: no such thing"}


def test_this_machine_is_no_hardened_container() -> None:
    found = selfcheck.results("base", [])
    assert found["no_shell"].startswith("a shell: ")
    assert found["no_new_privileges"]
    assert found["modules"] == ""


def test_a_peer_that_is_not_there_is_a_failed_check() -> None:
    assert "nowhere.invalid" in " ".join(selfcheck.results("base", ["nowhere.invalid"]))
    assert selfcheck.results("base", ["nowhere.invalid"])["peer nowhere.invalid"]


def test_a_change_of_the_sources_starts_the_command_again(tmp_path: Path) -> None:
    source, note = tmp_path / "src", tmp_path / "note"
    source.mkdir()
    (source / "module.py").write_text("1")
    say = f"open({str(note)!r}, 'a').write('started\\n'); import time; time.sleep(60)"
    runner = subprocess.Popen([sys.executable, reload.__file__, str(source), sys.executable, "-c", say])
    try:
        _until(lambda: note.exists())
        (source / "new.py").write_text("2")
        _until(lambda: note.read_text().count("started") == 2)
    finally:
        runner.terminate()
        assert runner.wait(10) == 0


def _until(condition, limit_s: float = 15.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
