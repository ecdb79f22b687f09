"""Where a deployment is on its host: its folder, its identity, and what is unlocked while it runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs
from dotenv import dotenv_values
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings
from lucid.catalog.types import Phase
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog

ENVIRONMENT = "environment"


class PlaceSettings(Settings):
    """Read from `LUCID_…`; options of the commands win."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="LUCID_")

    deploy_dir: Path = Field(
        default=Path("/mnt/myssd/Lucid/deploy"),
        description="folder of the deployment: encrypted settings, sets, history",
    )
    deploy_identity: Path = Field(
        default_factory=lambda: Path(platformdirs.user_config_dir("lucid")) / "deploy-identity",
        description="file of the age identity that opens the deployment's settings",
    )
    run_dir: Path = Field(
        default=Path("/run/lucid"), description="folder in memory for what is unlocked: settings and secrets"
    )


@dataclass(frozen=True)
class Place:
    """The folders of a deployment."""

    deploy_dir: Path
    identity: Path
    run_dir: Path

    @classmethod
    def load(cls, deploy_dir: Path | None = None) -> Self:
        """By the environment. Raises InvalidInput."""
        settings = PlaceSettings.load(**({"deploy_dir": deploy_dir} if deploy_dir else {}))
        return cls(settings.deploy_dir.absolute(), settings.deploy_identity.absolute(), settings.run_dir.absolute())

    @property
    def encrypted_dir(self) -> Path:
        return self.deploy_dir / ENVIRONMENT

    def encrypted(self, phase: Phase) -> Path:
        """The environment file of a phase as it is at rest."""
        return self.encrypted_dir / f".env.{phase.name}.age"

    def unlocked(self, phase: Phase) -> Path:
        """The environment file of a phase while unlocked, without secrets."""
        return self.run_dir / ENVIRONMENT / f".env.{phase.name}"

    def environment_files(self, catalog: Catalog) -> tuple[Path, ...]:
        """All unlocked environment files, in the order of the phases."""
        return tuple(self.unlocked(phase) for phase in catalog.phases)

    @property
    def secrets(self) -> Path:
        """The secrets, a file each, while unlocked."""
        return self.run_dir / "secrets"

    @property
    def sets(self) -> Path:
        return self.deploy_dir / "sets"

    @property
    def history(self) -> Path:
        return self.deploy_dir / "history.jsonl"

    @property
    def lock(self) -> Path:
        return self.deploy_dir / "lock"

    def is_unlocked(self, catalog: Catalog) -> bool:
        """Whether the environment files are there."""
        return all(path.is_file() for path in self.environment_files(catalog))

    def values(self, catalog: Catalog) -> dict[str, str]:
        """The variables of the unlocked environment files; later files win, and what is empty has its default, as in
        Compose."""
        defaults = {variable.name: variable.default for variable in variables.SHARED}
        values: dict[str, str] = {}
        for path in self.environment_files(catalog):
            values |= {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}
        return defaults | {name: value or defaults.get(name, "") for name, value in values.items()}
