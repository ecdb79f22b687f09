"""configs/docker/distroless: the base images by themselves, and the platform developed, hardened and tested on them."""

from lucid.catalog.networks import DISTROLESS, DISTROLESS_DEV
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog
from lucid.deploy.images.bake import TOOLS
from lucid.deploy.infrastructure.hardened import hardened_file
from lucid.deploy.infrastructure.parts import SELFCHECK, base_image, compose_file, healthcheck, selfcheck
from lucid.deploy.infrastructure.workbench import development, tests_run
from lucid.deploy.variables import Variable
from lucid.deploy.yamltext import Flow, Node, Noted

FOLDER = "configs/docker/distroless"
_PROJECT = "lucid-distroless"
ARM64_TAG = Variable("LUCID_ARM64_TAG", "latest-arm64", "tag of the images for arm64")

_EMULATED_MIB = 160
"""Enough for the emulator too, where the machine is no arm64."""

_BASE_NOTE = """\
The base image of all services, by itself: before anything is deployed it shows that this engine gives containers what
the images count on, and takes from them what they must not have. Each container checks it every 30 s from within:
user, read-only root, capabilities, no shell, certificates, time zones, Python. It is healthy as long as all holds.

  docker-compose --env-file configs/environment/.env.foundation -f {file} up -d
"""
_RUNTIME_NOTE = """\
The base image as a runtime: the same checks, and that containers find and reach one another by their names.

  docker-compose --env-file configs/environment/.env.foundation -f {file} up -d
"""
_DEVELOPMENT_NOTE = """\
The whole platform in one distroless container, with the sources of this checkout: a change starts it again, and a
debugger (debugpy) can be attached to port 5678. Data are in memory; API on port 12080, RDP on 13389.

  lucid images build lucid-tools
  docker-compose --env-file configs/environment/distroless.env -f {file} up
"""
_TESTING_NOTE = """\
The test-suite of what needs no other program, in a distroless container; it ends with the suite's status.

  lucid images build lucid-tools
  docker-compose --env-file configs/environment/distroless.env -f {file} up --exit-code-from tests
"""


def distroless_files(catalog: Catalog) -> dict[str, str]:
    """Path to text."""
    development_file = compose_file(
        _DEVELOPMENT_NOTE.format(file=f"{FOLDER}/distroless-development-config.yml"),
        f"{_PROJECT}-development",
        DISTROLESS_DEV,
        {
            "development": development(
                "lucid-distroless-development", variables.image(TOOLS.name), DISTROLESS_DEV, build={}
            )
        },
    )
    testing_file = compose_file(
        _TESTING_NOTE.format(file=f"{FOLDER}/test-runtime-config.yml"),
        f"{_PROJECT}-testing",
        DISTROLESS_DEV,
        {"tests": tests_run("lucid-distroless-tests", variables.image(TOOLS.name), DISTROLESS_DEV, build={})},
    )
    return {
        f"{FOLDER}/distroless-config.yml": _checks("distroless-config.yml", _BASE_NOTE, _bases()),
        f"{FOLDER}/distroless-runtime-config.yml": _checks("distroless-runtime-config.yml", _RUNTIME_NOTE, _runtimes()),
        f"{FOLDER}/distroless-development-config.yml": development_file,
        f"{FOLDER}/distroless-security-config.yml": hardened_file(catalog, f"{FOLDER}/distroless-security-config.yml"),
        f"{FOLDER}/test-runtime-config.yml": testing_file,
    }


def _checks(file: str, note: str, services: dict[str, Node]) -> str:
    blocks = {"x-healthcheck": healthcheck((*SELFCHECK, "probe"))}
    project = f"{_PROJECT}-runtime" if "runtime" in file else _PROJECT
    return compose_file(note.format(file=f"{FOLDER}/{file}"), project, DISTROLESS, services, blocks)


def _bases() -> dict[str, Node]:
    return {
        "base": Noted("All that services count on.", selfcheck("lucid-base", base_image(), DISTROLESS, "base")),
        "minimal-base": Noted(
            "The same within the least that a container gets.",
            selfcheck("lucid-minimal-base", base_image(), DISTROLESS, "minimal", memory_mib=48),
        ),
        "arm64-base": Noted(
            "For arm64 whatever the others are for: on another machine it runs under emulation (scripts/binfmt).",
            selfcheck("lucid-arm64-base", _arm64_image(), DISTROLESS, "arm64", memory_mib=_EMULATED_MIB, entry=_ARM64),
        ),
    }


def _runtimes() -> dict[str, Node]:
    first = "distroless-runtime"
    after = {"depends_on": {first: Flow({"condition": "service_healthy"})}}
    return {
        first: selfcheck(first, base_image(), DISTROLESS, "base"),
        "minimal-runtime": selfcheck(
            "minimal-runtime", base_image(), DISTROLESS, "minimal", memory_mib=48, peers=(first,), entry=after
        ),
        "arm64-runtime": selfcheck(
            "arm64-runtime",
            _arm64_image(),
            DISTROLESS,
            "arm64",
            memory_mib=_EMULATED_MIB,
            peers=(first,),
            entry={**after, **_ARM64},
        ),
    }


_ARM64: dict[str, Node] = {"platform": "linux/arm64"}


def _arm64_image() -> str:
    return base_image().replace(str(variables.IMAGE_TAG), str(ARM64_TAG))
