"""Programs that `lucid deploy verify` runs in containers: the standard library alone, given to Python with -c, because
what is checked may be of another version. Each prints one document of JSON."""

from importlib.resources import files

from lucid.deploy.images.sheet import PYTHON


def program(name: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a program of this folder in a container."""
    return (PYTHON, "-c", files(__name__).joinpath(f"{name}.py").read_text(), *arguments)
