"""What all Dockerfiles have in common."""

FOLDER = "infrastructure/containers"
PYTHON = "/usr/bin/python3"
ASSEMBLE = "assemble.py"
USER = "65532:65532"


def head(about: str) -> str:
    """The comment that a Dockerfile begins with."""
    return f"# Rendered by `lucid deploy render` from src/lucid/deploy/images; edit that.\n#\n# {about}"


def bind(target: str, *, source: str = "", context: str = "") -> str:
    """A folder or file that a build step sees: of the main context, or of another one."""
    places = {"from": context, "source": source, "target": target}
    return ",".join(("--mount=type=bind", *(f"{name}={value}" for name, value in places.items() if value)))


def step(name: str, *arguments: str, mounts: tuple[str, ...], script: str = f"/build/{ASSEMBLE}") -> str:
    """A step of assemble.py, without a network and without a shell."""
    words = ", ".join(f'"{word}"' for word in (PYTHON, script, name, *arguments))
    return "".join(f"{line} \\\n    " for line in ("RUN --network=none", *mounts)) + f"[{words}]"
