"""Wiring of api-gateway."""

from lucid.access.verifying import ISSUER, AccessTokenVerifier
from lucid.ports.access import Door, Tokens
from lucid.ports.apicatalog import ApiCatalog
from lucid.ports.http import Listener, Upstream
from lucid.ports.identity import Signer
from lucid.ports.registry import Registry
from lucid.ports.service import App, Ports
from lucid.ports.stores import Bus, Folder
from lucid.services.api_gateway.service import ApiGateway
from lucid.services.api_gateway.settings import ApiGatewaySettings


def create(settings: ApiGatewaySettings, ports: Ports) -> App:
    gateway = ApiGateway(
        settings,
        catalog=ports.get(ApiCatalog),
        verifier=AccessTokenVerifier(ISSUER, ports.clock),
        tokens=ports.get(Tokens),
        registry=ports.get(Registry),
        bus=ports.get(Bus),
        signer=ports.get(Signer),
        folder=ports.get(Folder),
        listener=ports.get(Listener),
        upstream=ports.get(Upstream),
        clock=ports.clock,
    )
    return App(provides={Door: gateway}, start=gateway.start, stop=gateway.stop, checks={"door": gateway.check})
