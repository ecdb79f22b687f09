"""What BuildKit is to build, as a definition of `docker buildx bake`: pure, from the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lucid.catalog.types import Recipe
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.images import wheels
from lucid.deploy.images.platform import Naming, Platform, only
from lucid.deploy.images.sheet import FOLDER, USER

BASE = "lucid-base"
BUILDER = "lucid-builder"
DESKTOP_BASE = "lucid-desktop-base"
PYTHON_BASE = "lucid-python-base:latest"
JAVA_BASE = "lucid-java-base:latest"
"""The two that infrastructure/containers/base/docker-compose.base.yml names."""

STAND_INS: Mapping[Recipe, str] = {"mongodb": "Dockerfile.mongodb", "elasticsearch": "Dockerfile.elasticsearch"}


@dataclass(frozen=True)
class Image:
    """An image of the catalog: a service or a store."""

    name: str
    recipe: Recipe
    port: int
    summary: str
    user: str
    lock: str = wheels.SERVICES

    @classmethod
    def of(cls, piece: Piece) -> "Image":
        return cls(piece.name, piece.container.recipe, piece.port, piece.summary, piece.container.user)


TOOLS = Image("lucid-tools", "python", 12_080, "to develop and to test in", USER, lock=wheels.TOOLS)
"""No container of a phase: the infrastructure's Compose files run it."""


def images_of(catalog: Catalog, names: Sequence[str] = ()) -> tuple[Image, ...]:
    """The images of these names, each with or without `lucid-`; those of the catalog when none is given. Raises
    InvalidInput."""
    by_name = {piece.name: Image.of(piece) for piece in catalog.pieces}
    if not names:
        return tuple(by_name.values())
    by_name[TOOLS.name] = TOOLS
    return tuple(by_name[name] for name in only(names, list(by_name)))


@dataclass(frozen=True)
class Plan:
    """What images are built from. `root` is the checkout, `parts` the folder of assembled tars, `wheels` that of the
    wheels of each lock file. `local`: the platform that the build itself runs on."""

    root: Path
    parts: Path
    wheels: Path
    naming: Naming
    platform: Platform
    local: Platform
    version: str
    revision: str
    stand_ins: bool = False
    sboms: Mapping[str, str] = field(default_factory=dict)

    def definition(self, images: Sequence[Image]) -> dict[str, Any]:
        """The definition for these images."""
        targets: dict[str, Any] = {}
        for image in images:
            targets |= self._targets(image)
        return {"group": {"default": {"targets": [image.name for image in images]}}, "target": targets}

    def base_definition(self, *, java: bool, desktop: bool) -> dict[str, Any]:
        """That for the base images; the builder's, which runs on this machine, is `builder_definition`."""
        targets: dict[str, Any] = {
            "base": self._target(
                "base/Dockerfile",
                (self.naming.image(BASE, self.platform), PYTHON_BASE),
                context=self.parts,
                args={"BUILDER_IMAGE": self._builder},
                contexts={"assemble": self.root / "src/lucid/deploy/images"},
            )
        }
        if java:
            targets["java"] = self._target(
                "base/Dockerfile.java",
                (self.naming.image("lucid-java-base", self.platform), JAVA_BASE),
                context=self.parts,
                args={"BASE_IMAGE": "base"},
                contexts={"base": "target:base"},
            )
        if desktop:
            names = (self.naming.image(DESKTOP_BASE, self.platform),)
            targets["desktop"] = self._target("desktop/Dockerfile", names, context=self.parts)
        return {"group": {"default": {"targets": list(targets)}}, "target": targets}

    def builder_definition(self, parts: Path) -> dict[str, Any]:
        """The builder of this machine, from its own tars in `parts`."""
        target = self._target("base/Dockerfile.builder", (self._builder,), context=parts)
        return {"target": {"default": target | {"platforms": [self.local.docker]}}}

    @property
    def _builder(self) -> str:
        return self.naming.image(BUILDER, self.local)

    def _targets(self, image: Image) -> dict[str, Any]:
        """The target of an image, and those that it is made of."""
        if image.recipe in STAND_INS and self.stand_ins:
            target = self._store(image, f"stand-ins/{STAND_INS[image.recipe]}", wheels.STAND_INS)
            return {image.name: target}
        if image.recipe == "python":
            return {image.name: self._service(image)}
        if image.recipe == "desktop":
            base = self.naming.image(DESKTOP_BASE, self.platform)
            return {image.name: self._service(image) | {"args": self._arguments(image, base)}}
        if image.recipe == "gateway":
            part = f"{image.name}-service"
            gateway = self._target("gateway/Dockerfile", self._names(image), context=self.parts)
            gateway["contexts"] = {"service": f"target:{part}"}
            return {part: self._service(image) | {"tags": []}, image.name: gateway}
        return {image.name: self._store(image, f"{image.recipe}/Dockerfile", wheels.STORES)}

    def _service(self, image: Image) -> dict[str, Any]:
        return self._target(
            "services/Dockerfile",
            self._names(image),
            args=self._arguments(image, self.naming.image(BASE, self.platform)),
            contexts={"wheels": self.wheels / Path(image.lock).stem},
        )

    def _store(self, image: Image, dockerfile: str, lock: str) -> dict[str, Any]:
        return self._target(
            dockerfile,
            self._names(image),
            args=self._arguments(image, self.naming.image(BASE, self.platform)),
            context=self.parts,
            contexts={
                "wheels": self.wheels / Path(lock).stem,
                "lucid": self.root / "src/lucid",
                "requirements": self.root / "requirements",
            },
        )

    def _names(self, image: Image) -> tuple[str, ...]:
        return (self.naming.image(image.name, self.platform),)

    def _arguments(self, image: Image, base: str) -> dict[str, str]:
        given = {
            "BASE_IMAGE": base,
            "BUILDER_IMAGE": self._builder,
            "VERSION": self.version,
            "REVISION": self.revision,
            "SBOM": self.sboms.get(image.name, ""),
        }
        if image.recipe in ("python", "desktop", "gateway"):
            given |= {"SERVICE": image.name, "PORT": str(image.port), "SUMMARY": image.summary}
        if image.lock != wheels.SERVICES:
            given["LOCK"] = Path(image.lock).name
        if image.user != USER:
            given["RUN_USER"] = image.user
        return given

    def _target(
        self,
        dockerfile: str,
        tags: Sequence[str],
        *,
        context: Path | None = None,
        args: Mapping[str, str] | None = None,
        contexts: Mapping[str, Path | str] | None = None,
    ) -> dict[str, Any]:
        return {
            "context": str(context or self.root),
            "dockerfile": str(self.root / FOLDER / dockerfile),
            "platforms": [self.platform.docker],
            "tags": list(tags),
            "args": dict(args or {}),
            "contexts": {name: str(value) for name, value in (contexts or {}).items()},
        }
