"""Images are built, named and listed here: the module that calls apt, pip and Docker."""

import json
import os
import platform as machine
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

import lucid
from lucid.base.errors import InvalidInput, Unavailable
from lucid.deploy.images import wheels
from lucid.deploy.images.bake import BASE, BUILDER, DESKTOP_BASE, STAND_INS, Image, Plan
from lucid.deploy.images.desktop import write_desktop
from lucid.deploy.images.packages import BOOKWORM, Part, Suite
from lucid.deploy.images.platform import PLATFORMS, Naming, Platform, checkout
from lucid.deploy.images.process import follow, run
from lucid.deploy.images.rootfs import Assembler
from lucid.deploy.images.sbom import LABEL as SBOM_LABEL
from lucid.deploy.images.sbom import write_sboms

_ADDED: tuple[Part, ...] = ("freerdp", "mongodb", "redis")
Say = Callable[[str], None]
_MACHINES = {platform.machine: platform for platform in PLATFORMS.values()} | {"arm64": PLATFORMS["arm64"]}


def local_platform() -> Platform:
    """That of this machine. Raises InvalidInput on one that images cannot be built on."""
    if (found := _MACHINES.get(machine.machine().lower())) is None:
        raise InvalidInput(f"images are built on {' or '.join(PLATFORMS)}, not on {machine.machine()}")
    return found


def docker() -> str:
    """The Docker client that has buildx: another one may come first on PATH. Raises Unavailable."""
    if named := os.environ.get("LUCID_DOCKER"):
        return named
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin"]
    for folder in dict.fromkeys(folders):
        if (path := shutil.which("docker", path=folder)) and _has_buildx(path):
            return path
    raise Unavailable("no Docker client with buildx is installed (Debian: docker.io and docker-buildx)")


def _has_buildx(path: str) -> bool:
    return subprocess.run([path, "buildx", "version"], capture_output=True, check=False).returncode == 0


def default_cache() -> Path:
    """Where packages and wheels are kept between builds."""
    return Path(os.environ.get("LUCID_IMAGES_CACHE") or user_cache_path("lucid") / "images")


@dataclass(frozen=True)
class Workshop:
    """Builds images of one name, tag and suite. `say` gets a line for each step."""

    naming: Naming = field(default_factory=Naming)
    suite: Suite = BOOKWORM
    cache: Path = field(default_factory=default_cache)
    root: Path = field(default_factory=checkout)
    say: Say = print
    _assemblers: dict[str, Assembler] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def base(self, platform: Platform, *, java: bool = False, desktop: bool = True) -> list[dict[str, Any]]:
        """Assemble and tag the base images of a platform, and the builder of this machine. Raises Unavailable."""
        local = local_platform()
        self.builder(local)
        assembler = self._assemble(platform, ("base", *(("java",) if java else ()), *self._parts_in_use(platform)))
        if desktop:
            self._desktop(assembler, platform)
        definition = self._plan(platform).base_definition(java=java, desktop=desktop)
        self._bake(definition, f"base images for {platform.docker}")
        return self.inspect([BASE, BUILDER, *((DESKTOP_BASE,) if desktop else ())], platform)

    def builder(self, local: Platform) -> None:
        """Of this machine; once is enough for all platforms."""
        if "builder" not in self._done:
            assembler = self._assemble(local, ("base", "builder"))
            self._bake(self._plan(local).builder_definition(assembler.folder), "builder image")
            self._done.add("builder")

    def build(
        self, images: Sequence[Image], platform: Platform, *, stand_ins: bool = False, sboms: Path | None = None
    ) -> list[dict[str, Any]]:
        """Build images for a platform, and the base images first where they are missing. With `sboms` their bills of
        materials go to that folder, and the digests of those into labels. Raises Unavailable."""
        self._need_base(images, platform)
        parts: dict[Part, None] = {}
        locks: dict[str, None] = {}
        for image in images:
            standing_in = stand_ins and image.recipe in STAND_INS
            if image.recipe == "gateway":
                parts["freerdp"] = None
            elif image.recipe == "redis" or (image.recipe == "mongodb" and not standing_in):
                parts[image.recipe] = None
            if image.recipe in ("python", "desktop", "gateway"):
                locks[image.lock] = None
            else:
                locks[wheels.STAND_INS if standing_in else wheels.STORES] = None
        self._assemble(platform, [part for part in parts if not self._part(platform, part).is_file()])
        for lock in locks:
            folder = self._wheels(platform) / Path(lock).stem
            self.say(f"wheels of {lock} for {platform.docker}")
            wheels.fetch_wheels(self.root, lock, folder, self.suite, platform)
        plan = self._plan(platform, stand_ins=stand_ins)
        about = f"{len(images)} images for {platform.docker}"
        if not stand_ins and any(image.recipe in STAND_INS for image in images):
            about += ", of which MongoDB and Elasticsearch need a registry (for tests without one: --stand-ins)"
        self._bake(plan.definition(images), about)
        if sboms:
            digests = self.sbom([image.name for image in images], platform, sboms)
            self._bake(replace(plan, sboms=digests).definition(images), "labels")
        return self.inspect([image.name for image in images], platform)

    def sbom(self, names: Sequence[str], platform: Platform, folder: Path) -> dict[str, str]:
        """Write the bills of materials of images to `folder`; their SHA-256 by image. Raises Unavailable."""
        wanted = [self.naming.image(name, platform) for name in names]
        entries = self._entries(wanted)
        if missing := set(wanted).difference(*(entry["RepoTags"] for entry in entries)):
            raise Unavailable(f"the engine has no image {min(missing)}: `lucid images build` makes it")
        self.say(f"bills of materials in {folder}")
        return write_sboms(entries, folder)

    def inspect(self, names: Iterable[str], platform: Platform) -> list[dict[str, Any]]:
        """What the engine says of these images, of those that it has."""
        wanted = [self.naming.image(name, platform) for name in names]
        return [_summary(entry, set(wanted)) for entry in self._entries(wanted)]

    def _entries(self, wanted: Sequence[str]) -> list[dict[str, Any]]:
        text = run([docker(), "image", "inspect", *wanted], about="list of images", unless="No such image")
        found: list[dict[str, Any]] = json.loads(text or "[]")
        return found

    def _need_base(self, images: Sequence[Image], platform: Platform) -> None:
        desktop = any(image.recipe == "desktop" for image in images)
        needed = {self.naming.image(BASE, platform), self.naming.image(BUILDER, local_platform())}
        if desktop:
            needed.add(self.naming.image(DESKTOP_BASE, platform))
        have = {tag for entry in self._entries(sorted(needed)) for tag in entry["RepoTags"]}
        if needed - have:
            self.base(platform, desktop=desktop)

    def _assemble(self, platform: Platform, parts: Sequence[Part]) -> Assembler:
        known = self._assemblers.get(platform.arch) or Assembler(self.cache / "packages", self.suite, platform)
        assembler = self._assemblers[platform.arch] = known
        for part in parts:
            self.say(f"Debian packages: {part} for {platform.docker}")
            assembler.write(part)
        return assembler

    def _part(self, platform: Platform, part: Part) -> Path:
        return self.cache / "packages" / f"{self.suite.name}-{platform.arch}" / f"{part}.tar"

    def _parts_in_use(self, platform: Platform) -> list[Part]:
        """What images were built with before: a new base brings them the updates of Debian as well."""
        return [part for part in _ADDED if self._part(platform, part).is_file()]

    def _desktop(self, assembler: Assembler, platform: Platform) -> None:
        self.say(f"Debian with xrdp for {platform.docker}")
        write_desktop(assembler.folder, assembler.source_list, self.suite, platform)

    def _wheels(self, platform: Platform) -> Path:
        return self.cache / "wheels" / f"{self.suite.python}-{platform.arch}"

    def _plan(self, platform: Platform, *, stand_ins: bool = False) -> Plan:
        return Plan(
            root=self.root,
            parts=self.cache / "packages" / f"{self.suite.name}-{platform.arch}",
            wheels=self._wheels(platform),
            naming=self.naming,
            platform=platform,
            local=local_platform(),
            version=lucid.__version__,
            revision=_revision(self.root),
            stand_ins=stand_ins,
        )

    def _bake(self, definition: dict[str, Any], about: str) -> None:
        self.say(about)
        begun = time.monotonic()
        progress = "auto" if os.isatty(2) else "quiet"
        argv = [docker(), "buildx", "bake", "--builder", "default", "--progress", progress, "--file", "-"]
        follow(argv, about=about, cwd=self.root, stdin=json.dumps(definition))
        self.say(f"{about}: {time.monotonic() - begun:.1f} s")


def _summary(entry: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    labels = entry["Config"].get("Labels") or {}
    return {
        "image": next((tag for tag in entry["RepoTags"] if tag in wanted), entry["Id"]),
        "id": entry["Id"],
        "platform": f"{entry['Os']}/{entry['Architecture']}",
        "bytes": entry["Size"],
        "user": entry["Config"].get("User", ""),
        "layers": len(entry["RootFS"]["Layers"]),
        "sbom": labels.get(SBOM_LABEL, ""),
        "stand_in": labels.get("org.lucid.stand-in") == "true",
    }


def _revision(root: Path) -> str:
    """The commit that is built; nothing where git does not know it."""
    try:
        return run(["git", "-C", str(root), "rev-parse", "HEAD"], about="revision").strip()
    except Unavailable:
        return ""
