"""A service of phase 4 needs its folder and its literal: everything else follows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.errors import Conflict, InvalidInput
from lucid.base.settings import Settings
from lucid.catalog.types import PI_NETWORK, TRON_NETWORK, Container, Publish, Service
from lucid.deploy.catalog import Catalog
from lucid.deploy.registry import Renderer, render
from lucid.deploy.swarm import STACK
from lucid.ports.stores import Bus, Documents
from tests.deploy.commands import config


class ThrowawaySettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_THROWAWAY_")

    greeting: str = Field(default="a $word, it's", description="what it says")


def throwaway(**changes: Any) -> Service:
    return replace(
        Service(
            name="throwaway",
            summary="a service of a test",
            phase=4,
            port=8120,
            embedded_port=14120,
            entry="tests.throwaway:create",
            settings=ThrowawaySettings,
            needs=(Documents, Bus),
            container=Container(after=("lucid-mongodb",), published=(Publish(8120, "a page"),)),
        ),
        **changes,
    )


def extended(service: Service) -> Catalog:
    return Catalog(services=(*Catalog().services, service))


def test_on_the_network_of_all(docker: str, tmp_path: Path) -> None:
    files = render(extended(throwaway()))
    support = yaml.safe_load(files["configs/docker/docker-compose.support.yml"])
    (name,) = support["services"]
    service = support["services"][name]
    assert name == "throwaway"
    assert service["networks"] == [PI_NETWORK]
    assert service["user"] == "65532:65532"
    assert service["secrets"][:2] == ["mongodb-uri", "redis-url"]
    assert service["environment"]["LUCID_THROWAWAY_GREETING"] is None
    assert service["ports"][0]["target"] == 8120
    everything = yaml.safe_load(files["configs/docker/docker-compose.all.yml"])["services"]
    assert everything["throwaway"]["depends_on"] == {"lucid-mongodb": {"condition": "service_healthy"}}
    assert "#LUCID_THROWAWAY_GREETING='a $word, it\\'s'" in files["configs/environment/.env.support"]
    assert "LUCID_THROWAWAY_PORT=8120" in files["configs/environment/.env.support"]
    assert "throwaway" in yaml.safe_load(files[STACK])["services"]
    config(docker, files["configs/docker/docker-compose.support.yml"], tmp_path)


def test_on_the_network_of_the_payment_services(docker: str, tmp_path: Path) -> None:
    files = render(extended(throwaway(networks=(TRON_NETWORK,), container=Container())))
    support = yaml.safe_load(files["configs/docker/docker-compose.support.yml"])
    assert support["services"]["throwaway"]["networks"] == [TRON_NETWORK]
    assert support["networks"] == {TRON_NETWORK: {"external": True}}
    config(docker, files["configs/docker/docker-compose.support.yml"], tmp_path)


def test_a_setting_may_be_anything(docker: str, tmp_path: Path) -> None:
    odd = {"LUCID_THROWAWAY_WORD": "a $b ${c} $$d: #e 'f' \"g\"\t\\ é {{.Name}}"}
    files = render(extended(throwaway(container=Container(environment=odd))))
    services = config(docker, files["configs/docker/docker-compose.support.yml"], tmp_path)["services"]
    said = services["throwaway"]["environment"]["LUCID_THROWAWAY_WORD"]
    assert said.replace("$$", "$") == odd["LUCID_THROWAWAY_WORD"]  # `config` doubles each $ again


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "Throw_away"}, "expected a name of a-z 0-9 -"),
        ({"name": "api-gateway"}, "two containers have this name"),
        ({"phase": 5}, "there is no phase 5"),
        ({"networks": ("lucid-nowhere",)}, "network lucid-nowhere"),
        ({"networks": (PI_NETWORK, TRON_NETWORK)}, "may cross"),
        ({"networks": (TRON_NETWORK,)}, "networks without a way out only"),
        ({"container": Container(after=("nobody",))}, "nobody, which the catalog does not have"),
        ({"container": Container(after=("throwaway",))}, "in a circle"),
        ({"phase": 1, "container": Container(after=("api-gateway",))}, "a later phase"),
        ({"container": Container(published=(Publish(8080, "a page"),))}, "already that of api-gateway"),
    ],
)
def test_what_cannot_be_deployed_is_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        render(extended(throwaway(**changes)))


def test_a_path_has_one_renderer() -> None:
    one = Renderer("one", lambda _: {"a": ""})
    with pytest.raises(Conflict, match="a: rendered by both one and other"):
        render(Catalog(), renderers=(one, replace(one, name="other")))
