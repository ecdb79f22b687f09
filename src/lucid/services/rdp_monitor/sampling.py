"""Figures out of two looks at the running sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lucid.base.ids import SessionId
from lucid.ports.access import LiveSession
from lucid.ports.desktops import Desktop, XrdpDesktop
from lucid.ports.monitor import SessionFigures


@dataclass(frozen=True)
class Look:
    """What was seen at a monotonic time: sessions, and what each desktop uses by the name of its host."""

    time_s: float
    sessions: Sequence[LiveSession]
    desktops: Mapping[str, XrdpDesktop]


def by_host(desktops: Sequence[Desktop], accounts: Sequence[XrdpDesktop]) -> dict[str, XrdpDesktop]:
    """What each desktop uses, by the host's name, which is the desktop's."""
    used = {account.user: account for account in accounts}
    return {desktop.name: used[desktop.account] for desktop in desktops if desktop.account in used}


def figures(before: Look, now: Look) -> list[SessionFigures]:
    """The sessions of `now`, by id. A session's rates count from its beginning when it is new."""
    earlier = {session.session: session for session in before.sessions}
    return sorted((_figures(session, before, now, earlier) for session in now.sessions), key=lambda one: one.session)


def _figures(session: LiveSession, before: Look, now: Look, earlier: Mapping[SessionId, LiveSession]) -> SessionFigures:
    known = earlier.get(session.session)
    span_s = now.time_s - before.time_s if known else session.elapsed_s
    desktop = now.desktops.get(session.host)
    return SessionFigures(
        session=session.session,
        user=session.user,
        host=session.host,
        elapsed_s=round(session.elapsed_s, 3),
        idle_s=round(session.idle_s, 3),
        client_bytes_per_s=_rate(session.client_bytes - (known.client_bytes if known else 0), span_s),
        host_bytes_per_s=_rate(session.host_bytes - (known.host_bytes if known else 0), span_s),
        client_rtt_ms=session.client_rtt_ms,
        host_rtt_ms=session.host_rtt_ms,
        cpu_cores=_cores(desktop, before.desktops.get(session.host), now.time_s - before.time_s),
        memory_bytes=desktop.memory_bytes if desktop else None,
    )


def _rate(count: float, span_s: float) -> float:
    """Never below zero: what is counted of processes falls when one of them ends."""
    return round(max(0.0, count / span_s), 3) if span_s > 0 else 0.0


def _cores(desktop: XrdpDesktop | None, before: XrdpDesktop | None, span_s: float) -> float | None:
    if desktop is None:
        return None
    return _rate(desktop.cpu_s - before.cpu_s, span_s) if before is not None else 0.0
