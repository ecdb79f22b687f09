"""`lucid host access`: who may connect to a host, and how."""

from typing import Annotated

import typer

from lucid.base.errors import InvalidInput
from lucid.cli.account import checked_role
from lucid.cli.connect import policy_of
from lucid.cli.console import JsonOption, checked_name, print_json, run, running_platform, say
from lucid.cli.host import known_host
from lucid.model.host import Host, HostAccess
from lucid.model.policy import CHANNELS
from lucid.ports.access import Hosts

Switch = bool | None


def changed(
    now: HostAccess,
    *,
    users: list[str] | None = None,
    roles: list[str] | None = None,
    allow: list[str] | None = None,
    playback: Switch = None,
    index_typed_text: Switch = None,
    approval: Switch = None,
    second_factor: Switch = None,
) -> HostAccess:
    """`now` with what the options say instead; what they leave out stays. Raises InvalidInput."""
    update: dict[str, object] = {}
    if users is not None:
        update["users"] = tuple(sorted({checked_name(user, "--user") for user in _named(users)}))
    if roles is not None:
        update["roles"] = tuple(sorted({checked_role(role) for role in _named(roles)}))
    policy = now.policy
    if allow is not None:
        redirections = policy_of(_named(allow), policy.idle_limit_s, policy.total_limit_s, policy.playback)
        policy = policy.model_copy(update={channel: getattr(redirections, channel) for channel in CHANNELS})
    switched = {"playback": playback, "index_typed_text": index_typed_text}
    update["policy"] = policy.model_copy(update={name: on for name, on in switched.items() if on is not None})
    if approval is not None:
        update["approval"] = approval
    if second_factor is not None:
        update["second_factor"] = second_factor
    return now.model_copy(update=update)


def _named(values: list[str]) -> list[str]:
    """The values without `none`, which stands for an empty list."""
    return [value for value in values if value != "none"]


def _sentence(host: Host) -> str:
    access = host.access
    who = [*access.users, *(f"role {role}" for role in access.roles)]
    allowed = [channel for channel in CHANNELS if getattr(access.policy, channel)]
    asked = [
        *(["another person's approval"] if access.approval else []),
        *(["a second factor"] if access.second_factor else []),
    ]
    where = f"{host.name} in pool {host.pool}" if host.pool else host.name
    return (
        f"{where}: {', '.join(who) or 'nobody'}; redirections: {', '.join(allowed) or 'none'}; "
        f"{'what is typed may be searched; ' if access.policy.index_typed_text else ''}"
        f"asked for each session: {' and '.join(asked) or 'nothing more'}."
    )


def access(
    name: Annotated[str, typer.Argument(help="Name of the host.")],
    user: Annotated[
        list[str] | None, typer.Option(help="Who may connect, instead of those until now; or none.")
    ] = None,
    role: Annotated[list[str] | None, typer.Option(help="The same for holders of a role; or none.")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help=f"Redirections that may be asked for: {', '.join(CHANNELS)}; or none.")
    ] = None,
    playback: Annotated[
        Switch, typer.Option("--playback/--no-playback", help="Whether the platform may play recordings.")
    ] = None,
    index_typed_text: Annotated[
        Switch,
        typer.Option(
            "--index-typed-text/--no-index-typed-text",
            help="Whether what is typed may be made searchable, outside of the encrypted recording: passwords too.",
        ),
    ] = None,
    approval: Annotated[
        Switch, typer.Option("--approval/--no-approval", help="Whether another person has to agree to each session.")
    ] = None,
    second_factor: Annotated[
        Switch, typer.Option("--second-factor/--no-second-factor", help="Whether each session asks for a fresh one.")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="The pool that the host is in; or none.")] = None,
    json: JsonOption = False,
) -> None:
    """Say who may connect to a host, and how. What is not named stays as it is; the change is in the log.

    `lucid connect` is the operator's own and stands above this.
    """

    async def work() -> None:
        checked_name(name, "NAME")
        async with running_platform() as platform:
            hosts = platform.port(Hosts)
            host = await known_host(hosts, name)
            wanted = changed(
                host.access,
                users=user,
                roles=role,
                allow=allow,
                playback=playback,
                index_typed_text=index_typed_text,
                approval=approval,
                second_factor=second_factor,
            )
            into = host.pool if pool is None else next(iter(_named([checked_name(pool, "--pool")])), None)
            if (wanted, into) == (host.access, host.pool):
                raise InvalidInput("that is so already; see `lucid host access --help` for what can be changed")
            host = await hosts.change_access(name=name, access=wanted, pool=into)
        if json:
            print_json(host.model_dump(mode="json"))
        else:
            say(_sentence(host))

    run(work())
