"""The catalog is whole: every need has a provider, every address is used once, every entry exists."""

import importlib
from graphlib import CycleError

import pytest

from lucid.catalog.services import SERVICES
from lucid.catalog.stores import STORES
from lucid.catalog.types import Service
from lucid.ports.binding import methods_of
from lucid.runtime.wiring import start_order


def test_every_service_starts_after_what_it_needs() -> None:
    order = [service.name for service in start_order(SERVICES, STORES)]
    assert sorted(order) == sorted(service.name for service in SERVICES)
    provider = {port: service.name for service in SERVICES for port in service.provides}
    for service in SERVICES:
        for need in service.needs:
            if need in provider:
                assert order.index(provider[need]) < order.index(service.name)


def test_a_need_without_provider_is_refused() -> None:
    lonely = [service for service in SERVICES if service.name == "session-processor"]
    with pytest.raises(LookupError, match="session-processor needs Recorder"):
        start_order(lonely, STORES)


def test_services_that_need_each_other_are_refused() -> None:
    class A: ...

    class B: ...

    def service(name: str, needs: type, provides: type) -> Service:
        template = SERVICES[0]
        return Service(
            name=name,
            summary="",
            phase=1,
            port=1,
            embedded_port=1,
            entry="",
            settings=template.settings,
            needs=(needs,),
            provides=(provides,),
        )

    with pytest.raises(CycleError):
        start_order([service("a", A, B), service("b", B, A)], [])


def test_embedded_addresses_are_unique_on_one_host() -> None:
    ports = [service.embedded_port for service in SERVICES] + [store.embedded_port for store in STORES]
    ports += [int(value) for service in SERVICES for name, value in service.embedded.items() if name in service.listens]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_an_entry_can_be_created_and_its_ports_bound_over_http(service: Service) -> None:
    module, _, function = service.entry.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert service.settings.__name__.removesuffix("Settings").lower() == service.name.replace("-", "")
    assert all(methods_of(port) for port in service.provides)
    fields = service.settings.model_fields
    assert set(service.keys) | set(service.listens) | set(service.embedded) <= set(fields)
