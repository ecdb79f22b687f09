"""The environment examples: every variable of the Compose files, with its default, and nothing secret."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from pydantic_settings import EnvSettingsSource

from lucid.deploy.catalog import Catalog
from lucid.deploy.container import settings_variables

PHASES = ("foundation", "core", "application", "support")
REFERENCE = re.compile(r"\$\{(LUCID_[A-Z0-9_]+):-([^}]*)\}")
ASSIGNMENT = re.compile(r"#?([A-Z][A-Z0-9_]*)=(.*)")


def environment(name: str) -> str:
    return f"configs/environment/{name}"


@pytest.fixture(scope="module")
def given(files: dict[str, str]) -> dict[str, dict[str, str]]:
    """Variable to default, of each phase's file, as a shell reads it."""
    return {phase: assignments(files[environment(f".env.{phase}")]) for phase in PHASES}


def assignments(text: str, *, also_unset: bool = False) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        match = ASSIGNMENT.fullmatch(line)
        if match and (also_unset or not line.startswith("#")):
            found[match[1]] = "".join(shlex.split(match[2]))
    return found


@pytest.mark.parametrize("phase", PHASES)
def test_each_variable_is_in_the_file_of_the_phase_that_first_needs_it(
    files: dict[str, str], given: dict[str, dict[str, str]], phase: str
) -> None:
    so_far = {name: value for earlier in PHASES[: PHASES.index(phase) + 1] for name, value in given[earlier].items()}
    for name, default in REFERENCE.findall(files[f"configs/docker/docker-compose.{phase}.yml"]):
        if name != "LUCID_SECCOMP":
            assert so_far[name] == default


def test_no_variable_is_given_twice(given: dict[str, dict[str, str]]) -> None:
    names = [name for phase in PHASES for name in given[phase]]
    assert len(names) == len(set(names))


def test_every_setting_is_there_commented_out_and_passed_on(files: dict[str, str], catalog: Catalog) -> None:
    for service in catalog.services:
        (phase,) = [phase for phase in catalog.phases if phase.number == service.phase]
        text = files[phase.environment_file]
        for name, field in service.settings.model_fields.items():
            variable = f"{service.environment_prefix}{name}".upper()
            commented = f"\n#{variable}=" in text
            passed_on = f"\n      {variable}:\n" in files[phase.compose_file]
            assert commented == passed_on, variable
            if commented:
                assert f"# {(field.description or '').splitlines()[0]}\n" in text


def test_defaults_are_those_of_the_service(
    files: dict[str, str], catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uncommented, a line leaves the service as it is without it."""
    for phase in PHASES:
        for name, value in assignments(files[environment(f".env.{phase}")], also_unset=True).items():
            monkeypatch.setenv(name, value)
    compared = 0
    for service in catalog.services:
        given = EnvSettingsSource(service.settings)()
        for name in set(settings_variables(service).values()):
            field = service.settings.model_fields[name]
            default = field.get_default(call_default_factory=True)
            if default is not None:
                kind: Any = field.annotation
                value = TypeAdapter(kind).validate_python(given[name])
                assert value == default, f"{service.name}: {name}"
                compared += 1
    assert compared > 100


def test_nothing_secret(files: dict[str, str]) -> None:
    for path, text in files.items():
        if not path.startswith("configs/environment/"):
            continue
        for name, value in assignments(text, also_unset=True).items():
            assert not re.search(r"PASSWORD(?!S_)|SECRET(?!S_)|_KEY$", name) or not value, name


def test_examples_are_those_that_git_has(files: dict[str, str]) -> None:
    """A committed example must not be ignored as a private file would be."""
    ignored = (Path(__file__).parents[2] / ".gitignore").read_text()
    assert ".env" not in ignored
    assert {environment(f".env.{phase}") for phase in PHASES} <= set(files)
    assert environment("production.env") in files
