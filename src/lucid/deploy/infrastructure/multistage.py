"""configs/docker/multi-stage: the images built by Compose, and what comes out of each stage run by itself.

`lucid images build` is what builds all images for several platforms; these files are for whoever works on the
Dockerfile, or would rather have Compose build it.
"""

from lucid.catalog.networks import MULTI_STAGE
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.images.bake import TOOLS
from lucid.deploy.infrastructure.parts import (
    ARCH,
    BUILD_ARCH,
    CACHE,
    TO_ROOT,
    base_image,
    compose_file,
    healthcheck,
    limits,
)
from lucid.deploy.infrastructure.workbench import development, tests_run
from lucid.deploy.variables import Variable
from lucid.deploy.yamltext import MERGE, Alias, Flow, Node

FOLDER = "configs/docker/multi-stage"
_PROJECT = "lucid-multi-stage"
_DOCKERFILE = "infrastructure/containers/services/Dockerfile"
_BUILDER = Variable("LUCID_BUILDER_IMAGE", f"pickme/lucid-builder:latest-{BUILD_ARCH}", "what the build stages run in")
_CHECK = ("/usr/bin/python3", "-m", "lucid.deploy.images.selfcheck")

_NOTE = """\
{about}

  lucid images {images}
  docker-compose --env-file configs/environment/multi-stage.env -f {file} {command}
"""


def multistage_files(catalog: Catalog) -> dict[str, str]:
    """Path to text."""
    own = [piece for piece in catalog.pieces if piece.container.recipe == "python"]
    return {
        _path("multi-stage-config"): _file(
            "multi-stage-config",
            "The services' images, built by Compose out of the stages base, build, content and service. `up` starts\n"
            "each new image once, to see that it starts. Wheels are those that `lucid images build` has fetched.",
            "build",
            "build",
            {piece.name: _built(piece) for piece in own},
        ),
        _path("multi-stage-development-config"): _file(
            "multi-stage-development-config",
            "The image of tools, built from the same Dockerfile, and the platform in it with live reload and a\n"
            "debugger on port 5678. `watch` in place of `up` also builds it again when the locked requirements change.",
            f"build {TOOLS.name}",
            "up --build",
            {"development": _development()},
        ),
        _path("multi-stage-runtime-config"): _file(
            "multi-stage-runtime-config",
            "What the last stage gives, run by itself: each kind of image checks from within that its code, its\n"
            "libraries and its bytecode are there and what it must not have is not.",
            "build",
            "up -d",
            _runtimes(),
            {"x-healthcheck": healthcheck((*_CHECK, "probe"))},
        ),
        _path("multi-stage-testing-config"): _file(
            "multi-stage-testing-config",
            "The image of tools, built from the same Dockerfile, and the test-suite in it. It ends with the suite's\n"
            "status.",
            f"build {TOOLS.name}",
            "up --build --exit-code-from tests",
            {"tests": tests_run("lucid-multi-stage-tests", _tools(), MULTI_STAGE, build=_tools_build())},
        ),
    }


def build_variables() -> tuple[Variable, ...]:
    """What the files of this folder are configured with, beyond what all are."""
    return (CACHE, ARCH, BUILD_ARCH, _BUILDER)


def _path(name: str) -> str:
    return f"{FOLDER}/{name}.yml"


def _file(
    name: str, about: str, images: str, command: str, services: dict[str, Node], blocks: dict[str, Node] | None = None
) -> str:
    """`images` is the `lucid images` that comes first."""
    note = _NOTE.format(about=about, images=images, file=_path(name), command=command)
    project = f"{_PROJECT}-{name.removeprefix('multi-stage-').removesuffix('config').rstrip('-')}".rstrip("-")
    return compose_file(note, project, MULTI_STAGE, services, blocks)


def _build(target: str, wheels: str, **arguments: str) -> dict[str, Node]:
    return {
        "build": {
            "context": TO_ROOT,
            "dockerfile": _DOCKERFILE,
            "target": target,
            "network": "none",
            "additional_contexts": {"wheels": f"{CACHE}/wheels/3.11-{ARCH}/{wheels}"},
            "args": {"BASE_IMAGE": base_image(), "BUILDER_IMAGE": str(_BUILDER), **arguments},
            "platforms": [str(variables.PLATFORM)],
        }
    }


def _built(piece: Piece) -> dict[str, Node]:
    arguments = {"SERVICE": piece.name, "PORT": str(piece.port), "SUMMARY": piece.summary}
    return {
        MERGE: Alias("container"),
        **_build("service", "image", **arguments),
        "image": variables.image(piece.name),
        "restart": "no",
        "networks": Flow([MULTI_STAGE.name]),
        "command": Flow(["--version"]),
        "healthcheck": Flow({"disable": True}),
        **limits(128, cpus=0.5, pids=64),
    }


def _tools() -> str:
    return variables.image(TOOLS.name)


def _tools_build() -> dict[str, Node]:
    return _build("service", "image-tools", SERVICE=TOOLS.name, PORT=str(TOOLS.port), LOCK="image-tools.txt")


def _development() -> dict[str, Node]:
    entry = development("lucid-multi-stage-development", _tools(), MULTI_STAGE, build=_tools_build())
    watched: list[Node] = [{"action": "rebuild", "path": f"{TO_ROOT}/requirements"}]
    return {**entry, "develop": {"watch": watched}}


def _runtimes() -> dict[str, Node]:
    kinds = {"python-runtime": ("service", "session-api"), "gateway-runtime": ("gateway", "rdp-controller")}
    return {name: _runtime(name, image, profile) for name, (profile, image) in kinds.items()}


def _runtime(name: str, image: str, profile: str) -> dict[str, Node]:
    return {
        MERGE: Alias("container"),
        "image": variables.image(image),
        "container_name": name,
        "networks": Flow([MULTI_STAGE.name]),
        "entrypoint": Flow(list(_CHECK)),
        "command": Flow(["watch", "--profile", profile]),
        "healthcheck": Alias("healthcheck"),
        **limits(256, cpus=0.5, pids=64),
    }
