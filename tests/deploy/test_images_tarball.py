"""Trees of files as tars: the same tree gives the same bytes."""

import io
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lucid.deploy.images.tarball import EPOCH_S, Tree, merged

NAMES = st.lists(st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4}){0,3}", fullmatch=True), unique=True, max_size=12)


def written(tree: Tree, folder: Path) -> bytes:
    tree.write(folder / "tree.tar")
    return (folder / "tree.tar").read_bytes()


def names(tree: Tree, folder: Path) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(written(tree, folder))) as archive:
        return archive.getnames()


@given(NAMES, st.randoms(use_true_random=False))
def test_order_of_adding_makes_no_difference(tmp_path_factory, paths: list[str], random) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("tars")
    shuffled = list(paths)
    random.shuffle(shuffled)
    trees = [Tree(), Tree()]
    for tree, order in zip(trees, (paths, shuffled), strict=True):
        for path in order:
            tree.add_file(f"{path}/file", path.encode())
    assert written(trees[0], folder) == written(trees[1], folder)


def test_folders_come_before_what_is_in_them(tmp_path: Path) -> None:
    tree = Tree()
    tree.add_file("usr/bin/python3", b"x", mode=0o755)
    assert names(tree, tmp_path) == ["usr", "usr/bin", "usr/bin/python3"]


def test_times_and_names_of_owners_are_left_out(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        info = tarfile.TarInfo("./lib/x.so")
        info.mtime, info.uname, info.uid, info.mode, info.size = 12345, "builder", 7, 0o640, 2
        archive.addfile(info, io.BytesIO(b"ab"))
    tree = Tree()
    tree.add_tar(packed.getvalue(), lambda _: True)
    with tarfile.open(fileobj=io.BytesIO(written(tree, tmp_path))) as archive:
        (member,) = [entry for entry in archive if entry.isfile()]
    assert (member.name, member.mtime, member.uname, member.uid, member.mode) == ("usr/lib/x.so", EPOCH_S, "", 7, 0o640)


def test_hard_links_come_after_their_files(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        file = tarfile.TarInfo("bin/z")
        file.size = 1
        archive.addfile(file, io.BytesIO(b"z"))
        link = tarfile.TarInfo("bin/a")
        link.type, link.linkname = tarfile.LNKTYPE, "bin/z"
        archive.addfile(link)
    tree = Tree()
    tree.add_tar(packed.getvalue(), lambda _: True)
    assert names(tree, tmp_path)[-2:] == ["usr/bin/z", "usr/bin/a"]
    assert tree.members["usr/bin/a"][0].linkname == "usr/bin/z"


def test_root_folders_are_merged_into_usr() -> None:
    assert [merged(name) for name in ("./bin/x", "lib64/ld.so", "./etc/x", "/sbin", "libexec/x")] == [
        "usr/bin/x",
        "usr/lib64/ld.so",
        "etc/x",
        "usr/sbin",
        "libexec/x",
    ]


def test_what_another_tree_has_alike_is_left_out() -> None:
    base, more = Tree(), Tree()
    base.add_file("a/same", b"1")
    base.add_file("a/other", b"1")
    more.add_file("a/same", b"1")
    more.add_file("a/other", b"2")
    more.add_file("b/new", b"3")
    assert set(more.without(base).members) == {"a/other", "b", "b/new"}
