"""What every fault must end in: a session that is proven, and a verifier that agrees."""

import asyncio
from pathlib import Path

from lucid.base.secret import Secret
from lucid.catalog.keys import OWNER_IDENTITY
from lucid.model.session import Session, SessionState
from lucid.ports.recording import Pipeline
from lucid.runtime.export import Export, PortSource, export_session
from lucid.runtime.paths import DataDir
from lucid.runtime.picture import read_identity
from lucid.verify.files import Paths, verify_paths

PROOF_LIMIT_S = 30.0


def owner(data: DataDir) -> Secret:
    return read_identity(data.keys / OWNER_IDENTITY.name)


async def proven(platform: PortSource, session: str, *, wait_s: float = PROOF_LIMIT_S) -> Session:
    """The session, once it is proven."""
    found = await platform.port(Pipeline).wait(session=session, wait_s=wait_s)
    assert found.state is SessionState.PROVEN, found
    return found


async def only_session(platform: PortSource) -> Session:
    """The one session there is, once it is proven."""
    (session,) = await platform.port(Pipeline).list()
    return await proven(platform, session.id)


async def verified(platform: PortSource, data: DataDir, session: str, folder: Path) -> Export:
    """The session's export, after every step of the verifier that needs no earlier checkpoint has passed."""
    await proven(platform, session)
    export = await export_session(platform, session, folder)
    paths = Paths(
        bundle=export.bundle,
        key=str(export.key),
        recording=export.chunks,
        identity=data.keys / OWNER_IDENTITY.name,
        log=data.of("block-manager"),
    )
    report = await asyncio.to_thread(verify_paths, paths)
    assert report.verified, [step for step in report.steps if step.outcome not in ("ok", "skipped")]
    assert {step.outcome for step in report.steps if step.name != "consistency"} == {"ok"}
    return export
