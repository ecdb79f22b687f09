"""What variables of a deployment may be set to."""

import pytest

from lucid.base.errors import InvalidInput
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch.values import check, mib, problems

CATALOG = Catalog()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LUCID_DATA_ROOT", "/srv/my disk/data"),
        ("LUCID_PUBLIC_ADDRESS", "pi.example.org"),
        ("LUCID_PUBLIC_ADDRESS", "fd00::1"),
        ("LUCID_BIND_PUBLIC", "192.168.0.75"),
        ("LUCID_BIND_DATA", "::1"),
        ("LUCID_PLATFORM", "linux/amd64"),
        ("LUCID_API_GATEWAY_PORT", "443"),
        ("LUCID_REDIS_MEMORY", "1.5g"),
        ("LUCID_REDIS_MEMORY", "134217728"),
        ("LUCID_REDIS_CPUS", "0.25"),
        ("LUCID_REDIS_CPUS", ""),
        ("LUCID_SOMETHING_ELSE", "anything"),
    ],
)
def test_what_can_be(name: str, value: str) -> None:
    assert problems(CATALOG, {name: value}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LUCID_DATA_ROOT", "data"),
        ("LUCID_DATA_ROOT", "/"),
        ("LUCID_LOGS_ROOT", "/srv/../etc"),
        ("LUCID_PUBLIC_ADDRESS", "my pi"),
        ("LUCID_PUBLIC_ADDRESS", "https://pi"),
        ("LUCID_BIND_PUBLIC", "eth0"),
        ("LUCID_BIND_DATA", "256.0.0.1"),
        ("LUCID_PLATFORM", "arm64"),
        ("LUCID_API_GATEWAY_PORT", "0"),
        ("LUCID_API_GATEWAY_PORT", "65536"),
        ("LUCID_API_GATEWAY_PORT", "8080-8090"),
        ("LUCID_REDIS_MEMORY", "lots"),
        ("LUCID_REDIS_MEMORY", "128"),  # bytes
        ("LUCID_REDIS_MEMORY", "-1m"),
        ("LUCID_REDIS_CPUS", "0"),
        ("LUCID_REDIS_CPUS", "nan"),
    ],
)
def test_what_cannot_be(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name}: expected .+, not "):
        check(CATALOG, {name: value})


def test_memory_as_compose_reads_it() -> None:
    sizes = {"512m": 512, "512MB": 512, "512MiB": 512, "1.5g": 1536, "2048k": 2, "1048576": 1, "1048576b": 1}
    assert {text: mib(text) for text in sizes} == sizes
