"""Which secrets stand in which texts: the folder of secrets is the first argument, the texts come on standard input as
JSON, by name. No secret leaves the machine that has it."""

import json
import sys
from pathlib import Path

SHORTEST = 8
"""Characters: a shorter line of a secret's file would be found by chance."""


def secrets(folder: Path) -> dict[str, list[str]]:
    """The lines of each file that are secret: not the frame of a key, nor a remark."""
    return {
        str(path.relative_to(folder)): [
            line
            for line in map(str.strip, path.read_text().splitlines())
            if len(line) >= SHORTEST and not line.startswith(("#", "-----"))
        ]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def leaks(known: dict[str, list[str]], texts: dict[str, str]) -> list[tuple[str, str]]:
    """Pairs of the text's and the secret's name."""
    return [
        (where, name)
        for where, text in texts.items()
        for name, lines in known.items()
        if any(line in text for line in lines)
    ]


if __name__ == "__main__":
    known = secrets(Path(sys.argv[1]))
    sys.stdout.write(json.dumps({"secrets": len(known), "leaks": leaks(known, json.load(sys.stdin))}))
