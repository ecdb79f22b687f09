"""What people may do: permissions, and the roles that are sets of them."""

from enum import StrEnum
from typing import Literal, get_args


class Permission(StrEnum):
    """One thing that a person may be allowed to do. `…-all` is about everybody's, the plain one about one's own."""

    SESSIONS_CONNECT = "sessions:connect"
    SESSIONS_READ = "sessions:read"
    SESSIONS_READ_ALL = "sessions:read-all"
    SESSIONS_PLAY = "sessions:play"
    SESSIONS_SHARE = "sessions:share"
    SESSIONS_TERMINATE = "sessions:terminate"
    SESSIONS_HOLD = "sessions:hold"
    SESSIONS_DELETE = "sessions:delete"
    APPROVALS_DECIDE = "approvals:decide"
    HOSTS_READ = "hosts:read"
    HOSTS_MANAGE = "hosts:manage"
    DESKTOPS_USE = "desktops:use"
    DESKTOPS_MANAGE = "desktops:manage"
    ACCOUNT_OWN = "account:own"
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_MANAGE = "accounts:manage"
    TOKENS_OWN = "tokens:own"
    AUDIT_READ = "audit:read"
    LOG_READ = "log:read"
    NODES_READ = "nodes:read"
    NODES_MANAGE = "nodes:manage"
    PLATFORM_READ = "platform:read"
    PLATFORM_MANAGE = "platform:manage"


MEANINGS: dict[Permission, str] = {
    Permission.SESSIONS_CONNECT: "connect to a desktop and be recorded",
    Permission.SESSIONS_READ: "see and search one's own sessions, their manifests, chunks and proofs",
    Permission.SESSIONS_READ_ALL: "the same of everybody's sessions",
    Permission.SESSIONS_PLAY: "play a recording whose policy allows the platform to open it",
    Permission.SESSIONS_SHARE: "add an auditor as recipient of a recording",
    Permission.SESSIONS_TERMINATE: "end a session that is going on",
    Permission.SESSIONS_HOLD: "place and lift retention holds",
    Permission.SESSIONS_DELETE: "delete a recording; its proof that it existed stays",
    Permission.APPROVALS_DECIDE: "approve or deny another person's request to connect",
    Permission.HOSTS_READ: "see the registered hosts",
    Permission.HOSTS_MANAGE: "register, change and remove hosts and their credentials",
    Permission.DESKTOPS_USE: "start, stop and reset one's own desktops on the built-in host",
    Permission.DESKTOPS_MANAGE: "the same of everybody's desktops, quotas and pools",
    Permission.ACCOUNT_OWN: "see one's own account, change password and second factors, sign out",
    Permission.ACCOUNTS_READ: "see all accounts",
    Permission.ACCOUNTS_MANAGE: "create, change, lock and remove accounts",
    Permission.TOKENS_OWN: "make and revoke personal API tokens",
    Permission.AUDIT_READ: "read the audit trail",
    Permission.LOG_READ: "read log status, entries and checks",
    Permission.NODES_READ: "see nodes, work credits and statements",
    Permission.NODES_MANAGE: "register, drain and remove nodes",
    Permission.PLATFORM_READ: "see the state of services and metrics",
    Permission.PLATFORM_MANAGE: "rotate keys and rebuild the search index",
}

Role = Literal["user", "developer", "admin", "auditor"]

_USER = frozenset(
    {
        Permission.SESSIONS_CONNECT,
        Permission.SESSIONS_READ,
        Permission.SESSIONS_PLAY,
        Permission.HOSTS_READ,
        Permission.DESKTOPS_USE,
        Permission.ACCOUNT_OWN,
        Permission.LOG_READ,
    }
)

ROLES: dict[Role, frozenset[Permission]] = {
    "user": _USER,
    "developer": _USER | {Permission.TOKENS_OWN, Permission.NODES_READ, Permission.PLATFORM_READ},
    "admin": frozenset(Permission),
    "auditor": frozenset(
        {
            Permission.SESSIONS_READ,
            Permission.SESSIONS_READ_ALL,
            Permission.SESSIONS_PLAY,
            Permission.SESSIONS_HOLD,
            Permission.HOSTS_READ,
            Permission.ACCOUNT_OWN,
            Permission.ACCOUNTS_READ,
            Permission.TOKENS_OWN,
            Permission.AUDIT_READ,
            Permission.LOG_READ,
            Permission.NODES_READ,
            Permission.PLATFORM_READ,
        }
    ),
}
"""An auditor reads everything and changes nothing but holds; a developer is a user with API tokens."""

ROLE_NAMES: tuple[Role, ...] = get_args(Role)
