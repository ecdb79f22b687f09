"""The built-in desktop host (port XrdpHost): xrdp and sesman, started with the first desktop, and its accounts."""

import asyncio
import contextlib
from functools import partial

import structlog

from lucid.base.clock import Clock
from lucid.base.errors import LucidError, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.base.tasks import Tasks
from lucid.crypto.certificate import fingerprint, self_signed
from lucid.model.host import Host
from lucid.ports.desktops import DesktopUser, XrdpDesktop, XrdpStatus
from lucid.ports.machine import DesktopMachine, Program
from lucid.ports.stores import Folder
from lucid.services.rdp_xrdp import config
from lucid.services.rdp_xrdp.settings import RdpXrdpSettings
from lucid.services.rdp_xrdp.supervisor import Supervisor

HOST_NAME = "built-in"
CERTIFICATE = "tls.pem"
SESMAN: Program = "xrdp-sesman"
XRDP: Program = "xrdp"

_log = structlog.get_logger()


class BuiltInHost:
    """Nothing runs until the first desktop is created, unless there are desktops of an earlier run."""

    def __init__(self, settings: RdpXrdpSettings, *, machine: DesktopMachine, folder: Folder, clock: Clock) -> None:
        self._settings = settings
        self._machine = machine
        self._folder = folder
        self._clock = clock
        self._tasks = Tasks("rdp-xrdp")
        self._supervisors: dict[Program, Supervisor] = {}
        self._launching = asyncio.Lock()
        self._accounts = asyncio.Lock()
        self._run_folder = ""
        self._endpoint: Host | None = None

    # The service.

    async def start(self) -> None:
        """Starts xrdp where desktops exist or the setting says so; what does not work is logged and shown by status."""
        if reason := await self._machine.obstacle():
            _log.info("no built-in desktops", reason=reason)
        elif self._settings.autostart or await self._machine.accounts(group=self._settings.group):
            self._tasks.spawn(self._launch_early(), name="launch")

    async def _launch_early(self) -> None:
        try:
            await self._running()
        except LucidError as error:
            _log.error("built-in desktops do not work", detail=error.detail)

    async def stop(self) -> None:
        """End xrdp, sesman and all desktops."""
        await self._tasks.close()
        if not self._run_folder:
            return
        await self._end_desktops()
        await self._machine.clear(folder=self._run_folder)

    async def check(self) -> None:
        """Readiness: raises the failure of a supervisor. That xrdp does not run is no reason to be not ready."""
        self._tasks.check()

    # The port XrdpHost.

    async def status(self) -> XrdpStatus:
        reason = await self._machine.obstacle()
        uses = [] if reason else await self._machine.accounts(group=self._settings.group)
        return XrdpStatus(
            available=not reason,
            reason=reason,
            xrdp=self._healthy(XRDP),
            sesman=self._healthy(SESMAN),
            restarts=sum(supervisor.restarts for supervisor in self._supervisors.values()),
            sessions=sum(use.processes > 0 for use in uses),
            cpu_s=sum(use.cpu_s for use in uses),
            memory_bytes=sum(use.memory_bytes for use in uses),
        )

    async def endpoint(self) -> Host:
        if self._endpoint is None or not self._healthy(XRDP):
            raise Unavailable("the built-in desktop host does not run")
        return self._endpoint

    async def create_user(self, *, user: DesktopUser, password: Secret) -> None:
        await self._running()
        settings = self._settings
        async with self._accounts:
            await self._machine.create_account(
                group=settings.group, user=user, home=f"{settings.home_dir}/{user}", skeleton=settings.skeleton_dir
            )
            await self._machine.set_password(group=settings.group, user=user, password=password)
        _log.info("desktop account ready", user=user)

    async def remove_user(self, *, user: DesktopUser) -> None:
        await self._possible()
        async with self._accounts:
            await self._machine.remove_account(group=self._settings.group, user=user)
        _log.info("desktop account removed", user=user)

    async def stop_session(self, *, user: DesktopUser) -> bool:
        await self._possible()
        return await self._machine.end_processes(group=self._settings.group, user=user)

    async def reset_user(self, *, user: DesktopUser) -> None:
        await self._possible()
        async with self._accounts:
            await self._machine.renew_home(group=self._settings.group, user=user, skeleton=self._settings.skeleton_dir)
        _log.info("desktop has a fresh home", user=user)

    async def desktops(self) -> list[XrdpDesktop]:
        if await self._machine.obstacle():
            return []
        uses = await self._machine.accounts(group=self._settings.group)
        return [
            XrdpDesktop(user=use.user, running=use.processes > 0, cpu_s=use.cpu_s, memory_bytes=use.memory_bytes)
            for use in uses
        ]

    # Running.

    def _healthy(self, program: Program) -> bool:
        return program in self._supervisors and self._supervisors[program].healthy

    async def _possible(self) -> None:
        if reason := await self._machine.obstacle():
            raise Unavailable(f"no built-in desktops here: {reason}")

    async def _running(self) -> None:
        """Returns when xrdp accepts connections. Raises Unavailable."""
        await self._possible()
        async with self._launching:
            if not self._supervisors:
                await self._launch()
        limit_s = self._settings.start_limit_s
        await asyncio.gather(*(self._supervisors[program].wait_healthy(limit_s) for program in (SESMAN, XRDP)))

    async def _launch(self) -> None:
        settings, machine = self._settings, self._machine
        certificate = await self._certificate()
        port = settings.rdp_port or await machine.free_port()
        sesman_port = await machine.sesman_port()
        self._run_folder = folder = await machine.prepare(group=settings.group)
        files = config.files(
            settings, folder=folder, port=port, sesman_port=sesman_port, certificate=certificate.decode()
        )
        await machine.write(folder=folder, files=files)
        for program, on_port in ((SESMAN, sesman_port), (XRDP, port)):
            self._supervisors[program] = self._supervisor(program, on_port)
            self._tasks.spawn(self._supervisors[program].run(), name=program)
        self._endpoint = Host(
            name=HOST_NAME,
            address=settings.public_address or settings.listen_address,
            port=port,
            fingerprint=fingerprint(certificate),
            added=self._clock.now(),
        )
        _log.info("built-in desktop host starts", address=settings.listen_address, port=port)

    def _supervisor(self, program: Program, port: int) -> Supervisor:
        settings, machine = self._settings, self._machine
        return Supervisor(
            program,
            launch=partial(machine.launch, program=program, folder=self._run_folder),
            listens=partial(machine.listens, program=program, port=port),
            ended=self._sesman_ended if program == SESMAN else _nothing,
            start_limit_s=settings.start_limit_s,
            health_s=settings.health_s,
            health_failures=settings.health_failures,
            first_wait_s=settings.restart_s,
            longest_wait_s=settings.restart_limit_s,
        )

    async def _sesman_ended(self) -> None:
        """A new sesman does not know the sessions of the old one: nobody could ever return to them."""
        if ended := await self._end_desktops():
            _log.warning("desktops lost their session manager and were ended", users=ended)

    async def _end_desktops(self) -> list[str]:
        """End all that run, at once; their accounts."""
        uses = await self._machine.accounts(group=self._settings.group)
        running = [use.user for use in uses if use.processes]
        await asyncio.gather(*map(self._end_desktop, running))
        return running

    async def _end_desktop(self, user: str) -> None:
        with contextlib.suppress(NotFound):  # removed meanwhile, with all that ran
            await self._machine.end_processes(group=self._settings.group, user=user)

    async def _certificate(self) -> bytes:
        """Key and certificate, made at the first launch and kept: the gateway has pinned it."""
        try:
            return await self._folder.read(CERTIFICATE)
        except NotFound:
            name = self._settings.public_address or self._settings.listen_address
            certificate = await asyncio.to_thread(self_signed, name)
            await self._folder.write({CERTIFICATE: certificate})
            return certificate


async def _nothing() -> None:
    return None
