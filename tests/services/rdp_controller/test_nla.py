"""Logging in to a host by NLA, against pyspnego's NTLM acceptor behind real TLS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import spnego
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lucid.base.secret import Secret
from lucid.crypto.certificate import pinning_context, self_signed, server_context
from lucid.model.host import HostCredentials
from lucid.services.rdp_controller import nla
from lucid.services.rdp_controller.peer import Peer
from lucid.services.rdp_controller.refusal import Reason, Refused
from lucid.wire.rdp.credssp import TSRequest, key_for_server, key_from_server, ts_request_length
from lucid.wire.rdp.pdu import ProtocolError
from tests.waiting import until

ADA = HostCredentials(username="ada", password=Secret("geheim und lang"), domain="OFFICE")

Change = Callable[[TSRequest], TSRequest | bytes]
"""What a dishonest host makes of its answer."""


class NlaServer:
    """The other side of CredSSP. `version` is the newest it speaks; `change` alters its answers by their number;
    without `checks` it does not look at which key the client has seen."""

    def __init__(self, *, version: int = 6, change: dict[int, Change] | None = None, checks: bool = True) -> None:
        self.version = version
        self.checks = checks
        self.change = change or {}
        self.credentials = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes) -> None:
        context = spnego.server(protocol="ntlm")
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            first = await self._read(reader)
            self._send(writer, 0, TSRequest(self.version, token=context.step(first.token) or b""))
            second = await self._read(reader)
            try:
                context.step(second.token)
            except spnego.exceptions.SpnegoError:
                self._send(writer, 1, TSRequest(self.version, error=0xC000006D))
                return
            version = min(self.version, second.version)
            if self.checks:
                assert context.unwrap(second.key_auth).data == key_for_server(version, second.nonce, key)
            proof = context.wrap(key_from_server(version, second.nonce, key)).data
            self._send(writer, 1, TSRequest(self.version, key_auth=proof))
            self.credentials = context.unwrap((await self._read(reader)).auth_info).data
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> TSRequest:
        data = bytearray()
        while (length := ts_request_length(data)) is None or len(data) < length:
            data += await reader.readexactly(1 if length is None else length - len(data))
        return TSRequest.from_bytes(bytes(data))

    def _send(self, writer: asyncio.StreamWriter, number: int, answer: TSRequest) -> None:
        change = self.change.get(number)
        changed = change(answer) if change else answer
        writer.write(changed if isinstance(changed, bytes) else changed.to_bytes())


@pytest.fixture(autouse=True)
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "accounts"
    file.write_text("OFFICE:ada:geheim und lang\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(file))


@contextlib.asynccontextmanager
async def connected(server: NlaServer) -> AsyncIterator[Peer]:
    """A peer that stands in TLS with the server."""
    pem = self_signed("host")
    key = nla._subject_public_key(der(pem))
    listening = await asyncio.start_server(
        lambda reader, writer: server.serve(reader, writer, key), "127.0.0.1", 0, ssl=server_context(pem)
    )
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        _, peer = await asyncio.get_running_loop().create_connection(Peer, "127.0.0.1", port)
        await peer.start_tls(pinning_context(), server_side=False, timeout_s=5)
        try:
            yield peer
        finally:
            await peer.close(grace_s=1)


def der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@pytest.mark.parametrize("version", [2, 4, 5, 6, 7])
async def test_the_host_gets_the_credentials_sealed(version: int) -> None:
    server = NlaServer(version=version)
    async with connected(server) as peer:
        await nla.log_in(peer, ADA, host="host")
        await until(lambda: server.credentials)
    for text in ("ada", "geheim und lang", "OFFICE"):
        assert text.encode("utf-16-le") in server.credentials


async def test_a_wrong_password() -> None:
    wrong = ADA.model_copy(update={"password": Secret("another")})
    async with connected(NlaServer()) as peer:
        with pytest.raises(Refused, match="the account or its password is wrong") as refusal:
            await nla.log_in(peer, wrong, host="host")
    assert refusal.value.reason is Reason.HOST_LOGIN


async def test_a_host_in_the_middle_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It relays the login to the real host, whose key is another than that which TLS showed us."""
    server = NlaServer(checks=False)
    async with connected(server) as peer:
        monkeypatch.setattr(peer, "certificate", lambda: der(self_signed("another")))
        with pytest.raises(Refused) as refusal:
            await nla.log_in(peer, ADA, host="host")
    assert refusal.value.reason is Reason.HOST_CERTIFICATE
    assert not server.credentials


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({0: lambda answer: TSRequest(1, token=answer.token)}, Reason.HOST_LOGIN),
        ({0: lambda _: TSRequest(6, token=b"no NTLM")}, Reason.HOST_LOGIN),
        ({0: lambda _: TSRequest(6)}, Reason.HOST_LOGIN),
        ({0: lambda _: TSRequest(6, error=0xC0000234)}, Reason.HOST_LOGIN),
        ({1: lambda _: TSRequest(6, key_auth=bytes(48))}, Reason.HOST_LOGIN),
        ({1: lambda _: TSRequest(6)}, Reason.HOST_LOGIN),
    ],
)
async def test_odd_answers(change: dict[int, Change], reason: Reason) -> None:
    server = NlaServer(change=change)
    async with connected(server) as peer:
        with pytest.raises(Refused) as refusal:
            await nla.log_in(peer, ADA, host="host")
    assert refusal.value.reason is reason
    assert "geheim" not in refusal.value.detail
    assert not server.credentials


@pytest.mark.parametrize("answer", [b"\x03\0\0\x07", b"0\x84\xff\xff\xff\xff", b"0\x82\xff\xff" + bytes(20_000)])
async def test_what_is_no_answer(answer: bytes) -> None:
    async with connected(NlaServer(change={0: lambda _: answer})) as peer:
        with pytest.raises(ProtocolError):
            await nla.log_in(peer, ADA, host="host")
