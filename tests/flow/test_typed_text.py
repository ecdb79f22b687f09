"""Text typed by an RDP client over the gateway becomes words with times where the policy says so, and nowhere else."""

from pathlib import Path

from lucid.model.policy import Policy
from lucid.model.session import Session
from lucid.ports.recording import Pipeline
from lucid.runtime.client import RemotePlatform
from lucid.runtime.platform import Platform
from tests.files import files_holding
from tests.flow.conftest import PASSWORD, connect, desktop
from tests.paintings import paintings
from tests.waiting import until_not

COMMAND, ANSWER = "sudo systemctl restart nginx", "größe: 5 µm"


async def typing_session(platform: Platform, policy: Policy) -> Session:
    """A session in which two lines are typed, with a correction and a click, until it is proven."""
    pipeline = platform.port(Pipeline)
    async with desktop(platform, paintings(1), at_end="hold") as host, await connect(platform, policy=policy) as client:
        await client.type_text(f"{COMMAND}\n")
        await client.click(20, 30)
        await client.type_text(ANSWER)
        await until_not(lambda: len(host.inputs) < 2 * (len(COMMAND) + 1 + len(ANSWER)) + 3)
    (newest,) = await pipeline.list()
    return await pipeline.wait(session=newest.id, wait_s=20)


async def test_what_is_typed_is_found_where_the_policy_allows_it(platform: Platform) -> None:
    session = await typing_session(platform, Policy(index_typed_text=True))
    found = await platform.port(Pipeline).typed_text(session=session.id)
    lines = [line for text in found for line in text.lines]
    assert [line.text for line in lines] == [COMMAND, ANSWER]
    for line in lines:
        assert len(line.times_us) == len(line.text.split())
        assert list(line.times_us) == sorted(line.times_us)
        assert 0 < line.times_us[0] <= session.chunks[-1].last_us
    assert {(text.user, text.host, text.layout) for text in found} == {("ann", "office", "US")}
    assert PASSWORD not in str(found)
    async with RemotePlatform.of(platform.data) as remote:
        assert await remote.port(Pipeline).typed_text(session=session.id) == found
    assert await platform.port(Pipeline).forget_typed_text(session=session.id) == [text.id for text in found]
    assert await platform.port(Pipeline).typed_text() == []


async def test_without_it_what_is_typed_stands_in_no_file(platform: Platform, tmp_path: Path) -> None:
    await typing_session(platform, Policy())
    assert await platform.port(Pipeline).typed_text() == []
    assert not files_holding(tmp_path / "data", *(text.encode() for text in (COMMAND, "systemctl", ANSWER)))
