"""`lucid deploy secret`: secrets that are not made but given, such as an identity provider's."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from lucid.base.errors import InvalidInput, LucidError
from lucid.base.secret import Secret
from lucid.cli.console import JsonOption, fail, print_json, say
from lucid.cli.deploy_desk import ContextOption, DirOption, HostOption, alone, here_alone

MOST_CHARACTERS = 4096


def secret(
    name: Annotated[str, typer.Argument(help="Name of the secret, such as oidc-client-secret.")],
    file: Annotated[
        Path | None, typer.Option("--file", help="File that holds it.", show_default="asked, or read from a pipe")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take it away: what it is for is off then.")] = False,
    deploy_dir: DirOption = None,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """Give the deployment a secret that it cannot make. It is never on a command line, and never shown.

    `lucid deploy up` then starts anew what it concerns.
    """
    from lucid.deploy.catalog import Catalog
    from lucid.deploy.launch import preparing

    try:
        here_alone(context, host)
        if clear and file:
            raise InvalidInput("--file, --clear: expected one of them")
        preparing.check_given(Catalog(), name)
        given = Secret("") if clear else _read(name, file)
    except LucidError as error:
        fail(error)
    alone(lambda there: preparing.give(there, Catalog(), name, given), deploy_dir, context, host)
    if json:
        print_json({"changed": name, "given": not clear})
    else:
        say("Changed. Next:  lucid deploy up")


def _read(name: str, file: Path | None) -> Secret:
    """Raises InvalidInput for a file that cannot be read, for none, and for what cannot be a secret."""
    if file is None and sys.stdin.isatty():
        text = str(typer.prompt(name, hide_input=True, default="", show_default=False))
    else:
        try:
            with file.open("rb") if file else nullcontext(sys.stdin.buffer) as opened:
                content = opened.read(4 * MOST_CHARACTERS + 1)  # a character has at most four bytes
            text = content.decode() if len(content) <= 4 * MOST_CHARACTERS else content.decode(errors="replace")
        except OSError as error:
            raise InvalidInput(f"--file: {file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise InvalidInput(f"{name}: expected text") from None
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(f"{name}: expected at most {MOST_CHARACTERS} characters")
    if not text.strip():
        raise InvalidInput(f"{name}: nothing was given; --clear takes it away")
    return Secret(text.strip())
