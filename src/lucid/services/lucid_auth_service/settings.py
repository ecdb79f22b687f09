"""Settings of lucid-auth-service."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.secret import Secret
from lucid.base.settings import Settings
from lucid.model.permission import Role


class LucidAuthServiceSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_AUTH_SERVICE_")

    account_seal_key: Secret = Field(description="key of what is kept secret of accounts: 64 hex digits")
    issuer: str = Field(
        default="Lucid", min_length=1, max_length=64, description="what apps and authenticators call this platform"
    )
    passkey_domain: str = Field(
        default="localhost", min_length=1, max_length=253, description="domain name that passkeys are bound to"
    )
    passkey_origins: tuple[str, ...] = Field(
        default=("http://localhost:12080", "https://localhost:12080", "http://localhost:14120"),
        description='web addresses that may use passkeys, as JSON: `["https://lucid.example.org"]`',
    )
    administrator_password: Secret = Field(
        default=Secret(""),
        description="first password of the account `admin`, which is created with it while there is no account",
    )
    sign_in_life_s: float = Field(default=300.0, gt=0, description="time to finish a login that has begun")
    totp_offer_s: float = Field(default=600.0, gt=0, description="time to confirm a new authenticator app")

    access_token_life_s: int = Field(default=900, ge=60, le=3600, description="life of an access token")
    refresh_idle_s: float = Field(default=604_800.0, gt=0, description="unused for so long, a login ends")
    refresh_life_s: float = Field(default=2_592_000.0, gt=0, description="a login ends after so long in any case")
    refresh_grace_s: float = Field(
        default=10.0, ge=0, description="how long the last refresh token may be shown again, by who lost the answer"
    )
    key_rotation_s: float = Field(default=2_592_000.0, gt=0, description="how long a key signs access tokens")
    key_cache_s: int = Field(
        default=300, ge=1, description="how long others may keep the public keys; so long a key is published first"
    )
    approval_wait_s: float = Field(default=1800.0, gt=0, description="how long a request waits for a decision")
    approval_use_s: float = Field(default=600.0, gt=0, description="how long an approval may be used")
    keep_ended_s: float = Field(
        default=2_592_000.0, ge=0, description="how long ended approvals and expired API tokens are listed"
    )
    keep_denied_s: float = Field(
        default=7_776_000.0,
        ge=0,
        description="how long denied acts (failed logins above all) stay in the audit trail; all others stay for good",
    )

    oidc_issuer: str = Field(default="", max_length=500, description="address of an OpenID provider; empty: none")
    oidc_client_id: str = Field(default="", max_length=200, description="what the provider calls this platform")
    oidc_client_secret: Secret = Field(default=Secret(""), description="what this platform proves that with")
    oidc_redirect_url: str = Field(
        default="http://localhost:12080/api/v1/login/oidc/callback",
        max_length=500,
        description="public address of `/api/v1/login/oidc/callback`, as the provider has it",
    )
    oidc_return_url: str = Field(
        default="",
        max_length=500,
        description="page that the browser is sent to after the login, with `#handover=…`; empty: it gets the tokens",
    )
    oidc_scopes: str = Field(default="openid profile", max_length=200, description="what is asked of the provider")
    oidc_name_claim: str = Field(default="preferred_username", max_length=100, description="claim that names accounts")
    oidc_groups_claim: str = Field(default="groups", max_length=100, description="claim that lists a person's groups")
    oidc_roles: dict[str, Role] = Field(
        default={}, description='roles by group, the first that fits counts, as JSON: `{"admins": "admin"}`; `{}`: none'
    )
    oidc_default_role: Literal[Role, ""] = Field(
        default="user", description="role of new people, and of who is in none of the groups; empty: no login"
    )
    oidc_create_accounts: bool = Field(default=False, description="make an account at the first login")
    oidc_adopt_accounts: bool = Field(
        default=False, description="let the provider's people log in to accounts of their name that exist already"
    )

    max_ticket_ttl_s: int = Field(default=3600, ge=1, description="longest life that a ticket may be given")
    ticket_skew_s: float = Field(default=5.0, ge=0, description="clock difference allowed between machines")
    remember_ticket_s: float = Field(
        default=3600.0, ge=0, description="how long an ended ticket is kept, to say why it does not work"
    )
    free_failures: int = Field(default=5, ge=1, description="failed logins of a name before it has to pause")
    first_pause_s: float = Field(default=1.0, gt=0, description="first pause, doubled at each further failure")
    longest_pause_s: float = Field(default=300.0, gt=0, description="longest pause between failed logins")
    forget_failures_s: float = Field(default=3600.0, gt=0, description="time after which failures are forgotten")
    sweep_interval_s: float = Field(default=300.0, gt=0, description="time between removals of what has ended")
