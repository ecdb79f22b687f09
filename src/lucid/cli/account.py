"""`lucid account`: who may use the platform."""

from typing import Annotated

import typer

from lucid.base.errors import InvalidInput, NotFound
from lucid.base.secret import Secret
from lucid.cli.console import JsonOption, checked_name, out, print_json, run, running_platform, say, table, time_text
from lucid.model.permission import ROLE_NAMES, Role
from lucid.ports.access import Account, AccountKeeping, Accounts

app = typer.Typer(help="Create, list, change and remove accounts.", no_args_is_help=True)

_PAGE = 200

NameArgument = Annotated[str, typer.Argument(help="Name of the account.")]
RoleArgument = Annotated[str, typer.Argument(help=f"One of {', '.join(ROLE_NAMES)}.")]


def checked_role(text: str) -> Role:
    """`text`, if it is a role. Raises InvalidInput."""
    for role in ROLE_NAMES:
        if text == role:
            return role
    raise InvalidInput(f"ROLE: expected one of {', '.join(ROLE_NAMES)}, not {text!r}")


def _unknown(name: str) -> NotFound:
    return NotFound(f"no account {name!r}; see `lucid account ls`")


def _print_password(name: str, password: Secret) -> None:
    """On a line of its own, so that a script can read it."""
    say(password.reveal())
    out.print(f"The password of {name} is shown this once. It can be changed after the first login.", style="dim")


@app.command("ls")
def list_accounts(json: JsonOption = False) -> None:
    """List the accounts."""

    async def work() -> None:
        found: list[Account] = []
        async with running_platform() as platform:
            accounts = platform.port(Accounts)
            while page := await accounts.list(after=found[-1].name if found else None, limit=_PAGE):
                found += page
        if json:
            print_json([account.model_dump(mode="json") for account in found])
            return
        rows = table("NAME", "ROLE", "STATE", "SECOND FACTORS", "CREATED")
        for account in found:
            factors = ", ".join(account.second_factors) or "none"
            state = "locked" if account.locked else "active"
            rows.add_row(account.name, account.role, state, factors, time_text(account.created))
        out.print(rows)

    run(work())


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A name for the account: a-z 0-9 . _ -")],
    role: Annotated[str, typer.Option("--role", "-r", help=f"One of {', '.join(ROLE_NAMES)}.")] = "user",
) -> None:
    """Create an account and print its first password."""

    async def work() -> None:
        checked_name(name, "NAME")
        wanted = checked_role(role)
        async with running_platform() as platform:
            password = await platform.port(AccountKeeping).create(name=name, role=wanted)
        _print_password(name, password)

    run(work())


@app.command("role")
def change_role(name: NameArgument, role: RoleArgument) -> None:
    """Give an account another role. Its logins end."""
    _change(name, role=role, done=f"Account {name} has the role {role} now.")


@app.command("lock")
def lock(name: NameArgument) -> None:
    """Keep an account from logging in. Its logins end."""
    _change(name, locked=True, done=f"Account {name} is locked.")


@app.command("unlock")
def unlock(name: NameArgument) -> None:
    """Let a locked account log in again."""
    _change(name, locked=False, done=f"Account {name} can log in.")


@app.command("rm")
def remove(name: NameArgument) -> None:
    """Remove an account. Its recordings stay, and its name is not given again."""

    async def work() -> None:
        checked_name(name, "NAME")
        async with running_platform() as platform:
            try:
                await platform.port(AccountKeeping).remove(name=name)
            except NotFound:
                raise _unknown(name) from None
        out.print(f"Account {name} is removed.")

    run(work())


@app.command("reset-password")
def reset_password(name: NameArgument) -> None:
    """Print a new password for an account. Its logins end and its second factors are removed."""

    async def work() -> None:
        checked_name(name, "NAME")
        async with running_platform() as platform:
            try:
                password = await platform.port(AccountKeeping).reset_password(name=name)
            except NotFound:
                raise _unknown(name) from None
        _print_password(name, password)

    run(work())


def _change(name: str, *, done: str, role: str | None = None, locked: bool | None = None) -> None:
    async def work() -> None:
        checked_name(name, "NAME")
        wanted = None if role is None else checked_role(role)
        async with running_platform() as platform:
            try:
                await platform.port(AccountKeeping).change(name=name, role=wanted, locked=locked)
            except NotFound:
                raise _unknown(name) from None
        out.print(done)

    run(work())
