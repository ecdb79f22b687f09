"""An OpenID provider on a free port of loopback: Canaille, with two people and one client.

Run as a program: it prints its issuer and serves until it is ended. The client's redirection address is its argument.
"""

import json
import secrets
import sys
from typing import Any

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from canaille.backends.memory.backend import MemoryBackend
from joserfc.jwk import RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

CLIENT_ID, CLIENT_SECRET = "lucid", "the-secret-of-the-client"
PASSWORD = "correct horse battery staple"


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        return None


_find_any = MemoryBackend.do_query


def find_all(self: Any, model: type, *_: Any, **conditions: Any) -> list[Any]:
    """The original finds what fits any of the conditions: the code of another login, say."""
    each = [{found.id for found in _find_any(self, model, **{name: value})} for name, value in conditions.items()]
    return [found for found in _find_any(self, model, **conditions) if all(found.id in ids for ids in each)]


MemoryBackend.do_query = find_all


def person(name: str) -> models.User:
    return models.User(
        user_name=name,
        display_name=name,
        formatted_name=name,
        family_name=name,
        emails=[f"{name}@example.org"],
        password=PASSWORD,
    )


def main(redirect_uri: str) -> None:
    server = make_server("127.0.0.1", 0, lambda environ, start: app(environ, start), request_handler=Quiet)
    name = f"127.0.0.1:{server.server_port}"
    key = RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)
    app = create_app(
        config={
            "SECRET_KEY": secrets.token_hex(16),
            "SERVER_NAME": name,
            "PREFERRED_URL_SCHEME": "http",
            "SESSION_COOKIE_SECURE": False,
            "CANAILLE": {
                "DATABASE": "memory",
                "SMTP": None,
                "LOGGING": {"version": 1, "disable_existing_loggers": True},
            },
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [key], "TRUSTED_DOMAINS": ["localhost"]},
        }
    )
    with app.app_context(), Backend.instance.session():
        ada, eve = (person(name) for name in ("ada", "eve"))
        client = models.Client(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            client_name="Lucid",
            client_uri="http://localhost",
            redirect_uris=[redirect_uri],
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "profile", "groups"],
            token_endpoint_auth_method="client_secret_basic",
        )
        Backend.instance.save(client)
        client.audience = [client]
        for thing in (client, ada, eve):
            Backend.instance.save(thing)
        Backend.instance.save(models.Group(display_name="lucid-admins", members=[ada]))
    print(json.dumps({"issuer": f"http://{name}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
