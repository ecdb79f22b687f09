"""A service more in phase 4: a copy of the sources with its folder and its literal, and nothing else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lucid.deploy.images.bake import BASE, BUILDER, DESKTOP_BASE
from lucid.deploy.images.build import docker, local_platform
from lucid.deploy.images.platform import Naming, checkout

NAME = "throwaway"
PORT = 8120
TAG = "throwaway"

_FOLDER = {
    "__init__.py": '"""A service of a test: keeps a greeting, and says it. Needs documents."""\n',
    "settings.py": """
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings


class ThrowawaySettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_THROWAWAY_")

    greeting: str = Field(default="good day", description="what it says")
""",
    "app.py": """
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lucid.base.ids import new_session_id
from lucid.ports.service import App, Ports
from lucid.ports.stores import Documents
from lucid.services.throwaway.settings import ThrowawaySettings


def create(settings: ThrowawaySettings, ports: Ports) -> App:
    documents, id = ports.get(Documents), new_session_id()

    async def start() -> None:
        await documents.insert("throwaway", id, {"greeting": settings.greeting})

    async def check() -> None:
        await documents.get("throwaway", id)

    async def greeting(_: Request) -> PlainTextResponse:
        return PlainTextResponse((await documents.get("throwaway", id)).body["greeting"])

    return App(routes=[Route("/greeting", greeting)], start=start, checks={"documents": check})
""",
}

_LITERAL = f"""\
    Service(
        name="{NAME}",
        summary="a service of a test",
        phase=4,
        port={PORT},
        embedded_port=14120,
        entry="lucid.services.throwaway.app:create",
        settings=ThrowawaySettings,
        needs=(Documents,),
        public_routes=True,
        volumes=(),
        container=Container(after=("lucid-mongodb",), published=(Publish({PORT}, "a greeting"),)),
    ),
)
"""
_END = ")\n"
_IMPORT = "from lucid.services.throwaway.settings import ThrowawaySettings\n"


@dataclass(frozen=True)
class Source:
    """The copy, and what its commands see of a deployment."""

    root: Path
    environment: Mapping[str, str]

    @classmethod
    def copied(cls, root: Path, environment: Mapping[str, str]) -> "Source":
        ignored = shutil.ignore_patterns("__pycache__")
        for path in ("src/lucid", "requirements", "infrastructure"):
            shutil.copytree(checkout() / path, root / path, ignore=ignored)
        shutil.copy(checkout() / "pyproject.toml", root)
        folder = root / "src/lucid/services" / NAME
        folder.mkdir()
        for name, text in _FOLDER.items():
            (folder / name).write_text(text)
        catalog = root / "src/lucid/catalog/services.py"
        head, mark, rest = catalog.read_text().partition("\nSERVICES = (\n")
        assert rest.endswith("    ),\n)\n")
        catalog.write_text(f"{head}{_IMPORT}{mark}{rest.removesuffix(_END)}{_LITERAL}")
        return cls(root, {**environment, "PYTHONPATH": str(root / "src")})

    def remove_images(self, others: Iterable[str] = ()) -> None:
        """Those that were built, and others."""
        built = ("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=*/*:{TAG}")
        names = subprocess.run([docker(), *built], capture_output=True, text=True, check=True).stdout.split()
        subprocess.run([docker(), "image", "rm", "--force", *names, *others], capture_output=True, check=False)

    def build(self) -> None:
        """All images, of their own tag, on the base images that there are."""
        platform = local_platform()
        for name in (BASE, BUILDER, DESKTOP_BASE):
            there, own = (Naming(tag=tag).image(name, platform) for tag in ("", TAG))
            subprocess.run([docker(), "tag", there, own], check=True)
        self.lucid("images", "build", "--stand-ins", f"--tag={TAG}", f"--platform={platform.docker}", limit_s=600)

    def lucid(self, *words: str, limit_s: float = 180.0) -> str:
        """What the command of the copy writes. It has to succeed."""
        argv = [sys.executable, "-c", "from lucid.cli.app import app; app()", *words]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            argv, cwd=self.root, env=environment, capture_output=True, text=True, timeout=limit_s, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout
