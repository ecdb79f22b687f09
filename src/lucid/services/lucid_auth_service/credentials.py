"""What logins are made into, put together: signing keys, access and refresh tokens, API tokens."""

from lucid.access.acts import Acts
from lucid.access.announcing import Announcer
from lucid.access.api_tokens import ApiTokens
from lucid.access.records import AccountStore
from lucid.access.refresh import Logins, RefreshRules
from lucid.access.revocations import Revocations
from lucid.access.seal import AccountSeal
from lucid.access.signing_keys import RotationRules, SigningKeys
from lucid.access.tokens import AccessTokens, TokenDesk, TokenRules
from lucid.access.verifying import ISSUER
from lucid.base.clock import Clock
from lucid.ports.stores import Documents
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings


class Credentials:
    """The `logins` of people, their `api_tokens`, the `keys` that sign, and the `desk` that others check them at."""

    def __init__(
        self,
        settings: LucidAuthServiceSettings,
        *,
        documents: Documents,
        clock: Clock,
        announcer: Announcer,
        acts: Acts,
    ) -> None:
        seal = AccountSeal(settings.account_seal_key)
        accounts = AccountStore(documents)
        self._keep_ended_s = settings.keep_ended_s
        self.revocations = Revocations(documents=documents, announcer=announcer, clock=clock)
        self.keys = SigningKeys(
            RotationRules(settings.key_rotation_s, settings.key_cache_s), seal=seal, documents=documents, clock=clock
        )
        self.logins = Logins(
            RefreshRules(settings.refresh_idle_s, settings.refresh_life_s, settings.refresh_grace_s),
            documents=documents,
            accounts=accounts,
            access_tokens=AccessTokens(TokenRules(ISSUER, settings.access_token_life_s), keys=self.keys, clock=clock),
            revocations=self.revocations,
            seal=seal,
            acts=acts,
            clock=clock,
        )
        self.api_tokens = ApiTokens(
            documents=documents, accounts=accounts, revocations=self.revocations, acts=acts, clock=clock
        )
        self.desk = TokenDesk(keys=self.keys, api_tokens=self.api_tokens, revocations=self.revocations)

    async def sweep(self) -> int:
        """Rotate the keys when it is time, remove what has ended, and return how much that was."""
        await self.keys.maintain()
        ended = await self.logins.sweep() + await self.revocations.sweep()
        return ended + await self.api_tokens.sweep(self._keep_ended_s)
