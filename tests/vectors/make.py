"""Writes the test vectors: `python -m tests.vectors.make [FOLDER]`.

`index.json` lists them as `{name, expect, args}`: `expect` is the number of the step that fails, `ok` or
`bad-input`; `args` are the options of the verifier, paths relative to the folder (`data` unless given), `true` for
an option without a value. `good/`
holds the honest session that most vectors share; each other folder holds only what its vector needs otherwise.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.vectors.build import LOG_KEY, Files, prove, recording
from tests.vectors.cases import vectors
from tests.vectors.world import GOOD, KEYS, Vector, good


def render() -> Files:
    """Every file of the vectors by its path, `index.json` included."""
    subject, log = good()
    files: Files = {
        "good/bundle.json": prove(subject, log).to_bytes(),
        "good/key": LOG_KEY.verifier.format().encode() + b"\n",
        **_under("good/recording", recording(subject.chunks)),
        **_under("good/log", log.files()),
        "identity/keys": b"# no key here\n",
        **{f"identity/{name}": f"# {name}\n{key['identity']}\n".encode() for name, key in KEYS.items()},
    }
    index = []
    for vector in vectors():
        step = f"step-{vector.expect:02d}" if isinstance(vector.expect, int) else vector.expect
        folder = f"{step}-{vector.name}"
        args = _inputs(vector, folder, files)
        index.append({"name": folder, "expect": vector.expect, "args": args})
    files["index.json"] = json.dumps(index, indent=1).encode() + b"\n"
    return files


def _inputs(vector: Vector, folder: str, files: Files) -> dict[str, Any]:
    """The vector's options; what it has of its own is added to `files`."""
    args: dict[str, Any] = {"key": vector.key or "good/key"}
    if vector.bundle is not None:
        args["bundle"] = f"{folder}/bundle.json"
        files[args["bundle"]] = vector.bundle if isinstance(vector.bundle, bytes) else vector.bundle.to_bytes()
    elif not vector.without_bundle:
        args["bundle"] = "good/bundle.json"
    for option, given in (("recording", vector.recording), ("log", vector.log)):
        if isinstance(given, dict):
            args[option] = f"{folder}/{option}"
            files.update(_under(args[option], given))
        elif given is not None:
            args[option] = f"good/{option}" if given == GOOD else given
    if vector.identity is not None:
        args["identity"] = f"identity/{vector.identity}"
    if vector.checkpoint is not None:
        args["checkpoint"] = f"{folder}/checkpoint"
        files[args["checkpoint"]] = vector.checkpoint.encode()
    if vector.now is not None:
        args["now"] = vector.now
    if vector.strict:
        args["strict"] = True
    return args


def _under(folder: str, files: Files) -> Files:
    return {f"{folder}/{path}": data for path, data in files.items()}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
    files = render()
    for path, data in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)
    sys.stdout.write(f"{len(files)} files, {sum(map(len, files.values()))} bytes\n")


if __name__ == "__main__":
    main()
