"""infrastructure/containers/base/docker-compose.base.yml: the Python and the Java base, built and watched."""

from lucid.catalog.networks import BASE
from lucid.deploy.catalog import Catalog
from lucid.deploy.images.bake import JAVA_BASE, PYTHON_BASE
from lucid.deploy.infrastructure.parts import BUILD_ARCH, CACHE, SELFCHECK, compose_file, healthcheck, selfcheck
from lucid.deploy.variables import PLATFORM
from lucid.deploy.yamltext import Flow, Node, Noted

PATH = "infrastructure/containers/base/docker-compose.base.yml"

_NOTE = f"""\
For work on the base images: {PYTHON_BASE}, which all services are built on, and {JAVA_BASE}, the same
with Debian's Java runtime. Each container checks from within that its image is as promised. After a change of a
Dockerfile, `build` and `up -d` again; `lucid images base --java` assembles the packages that they are made of.

  lucid images base --java
  docker-compose --env-file configs/environment/multi-stage.env -f {PATH} up -d
"""


def base_files(_: Catalog) -> dict[str, str]:
    """Path to text."""
    blocks = {"x-healthcheck": healthcheck((*SELFCHECK, "probe"))}
    python = selfcheck("lucid-python-base", PYTHON_BASE, BASE, "base", entry=_build("Dockerfile"))
    java = selfcheck("lucid-java-base", JAVA_BASE, BASE, "java", memory_mib=192, entry=_build("Dockerfile.java"))
    java["depends_on"] = Flow({"python-base": Flow({"condition": "service_healthy"})})
    services: dict[str, Node] = {
        "python-base": Noted("Python on Debian's packages.", python),
        "java-base": Noted("Java on the Python base, whose checks need Python.", java),
    }
    return {PATH: compose_file(_NOTE, "lucid-base", BASE, services, blocks)}


def _build(dockerfile: str) -> dict[str, Node]:
    return {
        "build": {
            "context": f"{CACHE}/packages/bookworm-{BUILD_ARCH}",
            "dockerfile": f"${{PWD}}/infrastructure/containers/base/{dockerfile}",
            "additional_contexts": {"assemble": "../../../src/lucid/deploy/images"},
            "args": {"BUILDER_IMAGE": f"pickme/lucid-builder:latest-{BUILD_ARCH}"},
            "network": "none",
            "platforms": [str(PLATFORM)],
        }
    }
